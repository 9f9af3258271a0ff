package lambdatest

import "net/http"

// SecretsFault is a [Fault] of [SecretsManager].
type SecretsFault = Fault

// Fail makes the next n requests end in fault, or all of them with
// [UntilCleared]. Faults of several calls follow one another; n of 0 adds none.
func (m *SecretsManager) Fail(fault SecretsFault, n int) { m.FailStage("", fault, n) }

// FailStage is Fail for the requests that ask for the version with that staging
// label, "AWSCURRENT" or "AWSPREVIOUS"; empty: for all.
func (m *SecretsManager) FailStage(stage string, fault SecretsFault, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults.add(fault, n, stage)
}

// ClearFaults lets requests succeed again. One that Silence holds stays held.
func (m *SecretsManager) ClearFaults() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = nil
}

// strike answers with the fault, as AWS does (AWS Secrets Manager:
// GetSecretValue errors, and common errors).
func (m *SecretsManager) strike(w http.ResponseWriter, r *http.Request, fault SecretsFault) {
	switch fault {
	case Throttled:
		refuse(w, 400, "ThrottlingException", "message", "Rate exceeded")
	case AccessDenied:
		refuse(w, 400, "AccessDeniedException", "Message", "User: arn:aws:sts::"+Account+":assumed-role/function-role/function is not authorized to perform: "+
			"secretsmanager:GetSecretValue on resource because no identity-based policy allows the secretsmanager:GetSecretValue action")
	case NotFound:
		refuse(w, 400, "ResourceNotFoundException", "Message", messageNotFound)
	case MarkedForDeletion:
		refuse(w, 400, "InvalidRequestException", "Message", "You can't perform this operation on the secret because it was marked for deletion.")
	case DecryptionFailure:
		refuse(w, 400, "DecryptionFailure", "Message", "Secrets Manager can't decrypt the protected secret text using the provided KMS key.")
	case InternalError:
		refuse(w, 500, "InternalServiceError", "Message", "An error occurred on the server side.")
	default:
		fault.disconnect(w, r)
	}
}
