// Plays an app whose user verifies, against the local system, and prints what happened.
import java.net.HttpURLConnection
import java.net.URL

// Stands in for Didit's SDK: the user is approved on the simulator's page.
object DiditSdk {
    fun startVerification(token: String, onResult: () -> Unit) {
        val http = URL("$SIMULATOR/session/$token/decision").openConnection() as HttpURLConnection
        http.requestMethod = "POST"
        http.instanceFollowRedirects = false
        http.doOutput = true
        http.outputStream.use { it.write("status=Approved".toByteArray()) }
        http.responseCode
        onResult()
    }
}

fun main() {
    for (time in 1..2) { // the second time there is nothing left to verify
        verify("bob") { id ->
            var status = call("GET", "/sessions/$id", "bob")
            while (status.optString("next") == "verify") status = call("GET", "/sessions/$id", "bob")
            println("${status.getString("next")} ${status.getInt("after")}")
        }
    }
}
