package diagnose

// catalog holds all rules, in the order in which they claim to be the root cause: what stood in the way of anything
// else first. It is never changed.
var catalog = [...]*Rule{
	// A canary, whatever it is that it holds against the hello.
	&ruleCanaryRefuses,

	// The proxy itself, before anything was said.
	&ruleProxyOverloaded, &ruleProxyProtocolMissing, &ruleProxyLoop, &ruleProxyShutdown,

	// The client's first bytes.
	&ruleQUICVersionNegotiation, &ruleQUICDatagramTooSmall, &ruleQUICHelloIncomplete, &ruleQUICRetryLoop, &ruleConnectionEmpty, &ruleNotTLSHTTP, &ruleNotTLSOther, &ruleClientHelloMalformed, &ruleClientHelloIncomplete,
	&ruleProxyNameViewsDiffer, &ruleSSLv2Hello,

	// The backend leg comes before the client leg's handshake.
	&ruleBackendUnresolvable, &ruleBackendRefused, &ruleBackendUnreachable, &ruleBackendStartTLSRefused, &ruleBackendNotTLS, &ruleBackendExplained,
	&ruleBackendVersionNoOverlap, &ruleBackendCipherNoOverlap, &ruleSNIRequiredByBackend,
	&ruleBackendRequiresClientCert, &ruleBackendRejectsClientCert, &ruleBackendClientCertUnfit, &ruleBackendALPNMismatch,
	&ruleBackendProtocolError, &ruleBackendAlert, &ruleSegmentLost, &ruleNoAnswer, &ruleAnswerLost, &ruleHandshakeStalled, &ruleBackendTimeout, &ruleBackendReset, &ruleBackendClosed,

	// The chain, the gravest first.
	&ruleDefaultCertificateServed, &ruleCertMalformed, &ruleCertRevoked, &ruleCertExpired, &ruleCertNotYetValid, &ruleCertNameMismatch,
	&ruleCertSelfSigned, &ruleChainMissingIntermediate, &ruleChainIntermediateExpired, &ruleChainUntrustedRoot,
	&ruleCertWrongUsage, &ruleCertWeakSignature, &ruleCertWeakKey, &ruleCertUncommonAlgorithm, &ruleOCSPStapleMissing, &ruleOCSPStapleInvalid,
	&ruleRevocationUnknown, &ruleCertRejected,
	&ruleChainWrongOrder, &ruleChainUnrelatedCertificate, &ruleChainLegacyPath, &ruleCertCommonNameOnly, &ruleCertBadName,
	&ruleCertBadSerial, &ruleSCTMissing, &ruleSCTInvalid, &ruleCertValidityTooLong, &ruleCertExpiringSoon,
	&ruleCertMissingKeyIdentifier, &ruleChainRootSent, &ruleChainTooLarge,

	// The client leg's handshake.
	&ruleClientStartTLSMissing, &ruleEarlyDataRefused, &ruleProxyCannotServe, &ruleListenerCertificateMissing, &ruleListenerCertificateExpired, &ruleVersionNoOverlap, &ruleSNIMissing, &ruleSNIUnknown, &ruleQUICNoH3, &ruleALPNNoOverlap, &ruleCipherNoOverlap,
	&ruleGroupNoOverlap, &ruleSignatureNoOverlap,
	&ruleServerCertRejectedByClient, &ruleClientCertMissing, &ruleClientCertExpired, &ruleClientCertRevoked, &ruleClientCertWrongUsage,
	&ruleClientCertUnsupported, &ruleClientCertUnproven, &ruleClientCertUntrusted,
	&ruleClientAlert, &ruleServerAlert, &ruleClientHelloFragmented, &ruleClientTimeout, &ruleQUICConnectionClosed, &ruleClientAborted,

	// What the policy would have said.
	&rulePolicyRejectsVersion, &rulePolicyRejectsSNI, &rulePolicyRejectsALPN, &rulePolicyRejectsCipher,
	&rulePolicyRejectsGroup, &rulePolicyRejectsSignature, &rulePolicyRejectsClientCert,

	// What works and should be better.
	&ruleBackendBelowPolicy, &ruleVersionDowngradeBetweenLegs, &ruleProxyStricterThanBackend, &ruleBackendStricterThanProxy,
	&ruleALPNDiffersBetweenLegs, &ruleNameDiffersBetweenLegs, &ruleClientCertCannotPass, &ruleClientLegacyVersion, &ruleClientWeakCiphers,

	// What went over connections that were established.
	&ruleBackendResetMidway, &ruleBackendTruncated, &rulePeerBreaksTLS, &ruleHTTPBackendSpeaksHTTP2, &ruleHTTPBackendSpeaksTLS, &ruleHTTPBackendReset, &ruleHTTPBackendClosed, &ruleHTTPStreamReset, &ruleHTTPLargeHeader, &ruleHTTPBadResponse, &ruleHTTPTimeout, &ruleHTTPUnread, &ruleHTTPOutlived, &ruleHTTPUnavailable,
	&ruleHTTPMisdirected, &ruleHTTPBadRequest, &ruleHTTPSlowRequest, &ruleHTTPRedirectLoop, &ruleQUICAltSvcUnused,

	&ruleCanaryDiffers,

	// The last resort.
	&ruleHandshakeUnexplained,
}

// whens are the facts that the rules of catalog are about, side by side: most rules are passed over for most connections.
var whens = func() (w [len(catalog)]facts) {
	for i, r := range catalog {
		if w[i] = r.when; r.when == 0 {
			w[i] = always
		}
	}
	return w
}()
