import io.swagger.v3.parser.OpenAPIV3Parser;
import io.swagger.v3.parser.core.models.ParseOptions;
import io.swagger.v3.parser.core.models.SwaggerParseResult;
import java.nio.file.Files;
import java.nio.file.Path;

/** Prints what swagger-parser says of each OpenAPI document: the file, a tab, the message. */
class SwaggerParser {
	public static void main(String[] files) throws Exception {
		for (String file : files) {
			SwaggerParseResult result = new OpenAPIV3Parser().readContents(Files.readString(Path.of(file)), null, new ParseOptions());
			if (result.getOpenAPI() == null) {
				System.out.println(file + "\tthe document cannot be read");
			}
			for (String message : result.getMessages()) {
				System.out.println(file + "\t" + message);
			}
		}
	}
}
