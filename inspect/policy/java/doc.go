// Package java says what JSSE, the TLS of Java, accepts: the default suites, groups and schemes of a release, and what the
// security properties jdk.tls.disabledAlgorithms and jdk.certpath.disabledAlgorithms take away from them. Releases 17 and 25 were
// measured; 21 has what 17 has; 8 and 11 are after the sources of their updates since 2020. It reads no keystore and no file.
package java
