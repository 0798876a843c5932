package diagnose

// catalog holds all rules, in the order in which they claim to be the root cause: what stood in the way of anything
// else first. It is never changed.
var catalog = [...]*Rule{
	// The proxy itself, before anything was said.
	&ruleProxyOverloaded, &ruleProxyProtocolMissing, &ruleProxyShutdown,

	// The client's first bytes.
	&ruleConnectionEmpty, &ruleNotTLSHTTP, &ruleNotTLSOther, &ruleClientHelloMalformed, &ruleClientHelloIncomplete,
	&ruleProxyNameViewsDiffer, &ruleSSLv2Hello,

	// The backend leg comes before the client leg's handshake.
	&ruleBackendUnresolvable, &ruleBackendRefused, &ruleBackendUnreachable, &ruleBackendNotTLS,
	&ruleBackendVersionNoOverlap, &ruleBackendCipherNoOverlap, &ruleSNIRequiredByBackend,
	&ruleBackendRequiresClientCert, &ruleBackendRejectsClientCert, &ruleBackendALPNMismatch,
	&ruleBackendProtocolError, &ruleBackendAlert, &ruleBackendTimeout, &ruleBackendReset, &ruleBackendClosed,

	// The chain, the gravest first.
	&ruleDefaultCertificateServed, &ruleCertMalformed, &ruleCertExpired, &ruleCertNotYetValid, &ruleCertNameMismatch,
	&ruleCertSelfSigned, &ruleChainMissingIntermediate, &ruleChainIntermediateExpired, &ruleChainUntrustedRoot,
	&ruleCertWrongUsage, &ruleCertWeakSignature, &ruleCertWeakKey, &ruleCertRejected,
	&ruleChainWrongOrder, &ruleChainUnrelatedCertificate, &ruleCertExpiringSoon,

	// The client leg's handshake.
	&ruleProxyCannotServe, &ruleVersionNoOverlap, &ruleSNIMissing, &ruleSNIUnknown, &ruleALPNNoOverlap, &ruleCipherNoOverlap,
	&ruleGroupNoOverlap, &ruleSignatureNoOverlap,
	&ruleServerCertRejectedByClient, &ruleClientCertMissing, &ruleClientCertExpired, &ruleClientCertRevoked, &ruleClientCertUntrusted,
	&ruleClientAlert, &ruleServerAlert, &ruleClientHelloFragmented, &ruleClientTimeout, &ruleClientAborted,

	// What the policy would have said.
	&rulePolicyRejectsVersion, &rulePolicyRejectsSNI, &rulePolicyRejectsALPN, &rulePolicyRejectsCipher,
	&rulePolicyRejectsGroup, &rulePolicyRejectsSignature, &rulePolicyRejectsClientCert,

	// What works and should be better.
	&ruleBackendBelowPolicy, &ruleVersionDowngradeBetweenLegs, &ruleProxyStricterThanBackend, &ruleBackendStricterThanProxy,
	&ruleALPNDiffersBetweenLegs, &ruleNameDiffersBetweenLegs, &ruleClientLegacyVersion, &ruleClientWeakCiphers,

	// The last resort.
	&ruleHandshakeUnexplained,
}
