package main

// otherBuilds are the suites that the measured build does not have: SEED is in every 1.1.1, IDEA in those without no-idea,
// RC4 and 3DES in those with enable-weak-ssl-ciphers.
func otherBuilds() []row {
	old := func(id, name, kx, au, enc, mac, min string, bits int, build string, levels ...string) row {
		return row{ID: id, Name: name, KX: kx, AU: au, Enc: enc, MAC: mac, Min: min, Bits: bits, Levels: append(levels, "MEDIUM"), NotDefault: true, build: build}
	}
	return []row{
		old("0x0096", "SEED-SHA", "kRSA", "aRSA", "SEED", "SHA1", "SSL3", 128, "with111"),
		old("0x0099", "DHE-DSS-SEED-SHA", "kDHE", "aDSS", "SEED", "SHA1", "SSL3", 128, "with111"),
		old("0x009A", "DHE-RSA-SEED-SHA", "kDHE", "aRSA", "SEED", "SHA1", "SSL3", 128, "with111"),
		old("0x009B", "ADH-SEED-SHA", "kDHE", "aNULL", "SEED", "SHA1", "SSL3", 128, "with111"),
		old("0x0007", "IDEA-CBC-SHA", "kRSA", "aRSA", "IDEA", "SHA1", "SSL3", 128, "withIDEA"),
		old("0x000A", "DES-CBC3-SHA", "kRSA", "aRSA", "3DES", "SHA1", "SSL3", 112, "withWeak", "FIPS"),
		old("0x0013", "DHE-DSS-DES-CBC3-SHA", "kDHE", "aDSS", "3DES", "SHA1", "SSL3", 112, "withWeak", "FIPS"),
		old("0x0016", "DHE-RSA-DES-CBC3-SHA", "kDHE", "aRSA", "3DES", "SHA1", "SSL3", 112, "withWeak", "FIPS"),
		old("0x001B", "ADH-DES-CBC3-SHA", "kDHE", "aNULL", "3DES", "SHA1", "SSL3", 112, "withWeak", "FIPS"),
		old("0x008B", "PSK-3DES-EDE-CBC-SHA", "kPSK", "aPSK", "3DES", "SHA1", "SSL3", 112, "withWeak", "FIPS"),
		old("0x008F", "DHE-PSK-3DES-EDE-CBC-SHA", "kDHEPSK", "aPSK", "3DES", "SHA1", "SSL3", 112, "withWeak", "FIPS"),
		old("0x0093", "RSA-PSK-3DES-EDE-CBC-SHA", "kRSAPSK", "aRSA", "3DES", "SHA1", "SSL3", 112, "withWeak", "FIPS"),
		old("0xC008", "ECDHE-ECDSA-DES-CBC3-SHA", "kECDHE", "aECDSA", "3DES", "SHA1", "TLS1", 112, "withWeak", "FIPS"),
		old("0xC012", "ECDHE-RSA-DES-CBC3-SHA", "kECDHE", "aRSA", "3DES", "SHA1", "TLS1", 112, "withWeak", "FIPS"),
		old("0xC017", "AECDH-DES-CBC3-SHA", "kECDHE", "aNULL", "3DES", "SHA1", "TLS1", 112, "withWeak", "FIPS"),
		old("0xC01A", "SRP-3DES-EDE-CBC-SHA", "kSRP", "aSRP", "3DES", "SHA1", "SSL3", 112, "withWeak"),
		old("0xC01B", "SRP-RSA-3DES-EDE-CBC-SHA", "kSRP", "aRSA", "3DES", "SHA1", "SSL3", 112, "withWeak"),
		old("0xC01C", "SRP-DSS-3DES-EDE-CBC-SHA", "kSRP", "aDSS", "3DES", "SHA1", "SSL3", 112, "withWeak"),
		old("0xC034", "ECDHE-PSK-3DES-EDE-CBC-SHA", "kECDHEPSK", "aPSK", "3DES", "SHA1", "TLS1", 112, "withWeak", "FIPS"),
		old("0x0004", "RC4-MD5", "kRSA", "aRSA", "RC4", "MD5", "SSL3", 80, "withRC4"),
		old("0x0005", "RC4-SHA", "kRSA", "aRSA", "RC4", "SHA1", "SSL3", 80, "withRC4"),
		old("0x0018", "ADH-RC4-MD5", "kDHE", "aNULL", "RC4", "MD5", "SSL3", 80, "withRC4"),
		old("0x008A", "PSK-RC4-SHA", "kPSK", "aPSK", "RC4", "SHA1", "SSL3", 80, "withRC4"),
		old("0x008E", "DHE-PSK-RC4-SHA", "kDHEPSK", "aPSK", "RC4", "SHA1", "SSL3", 80, "withRC4"),
		old("0x0092", "RSA-PSK-RC4-SHA", "kRSAPSK", "aRSA", "RC4", "SHA1", "SSL3", 80, "withRC4"),
		old("0xC007", "ECDHE-ECDSA-RC4-SHA", "kECDHE", "aECDSA", "RC4", "SHA1", "TLS1", 80, "withRC4"),
		old("0xC011", "ECDHE-RSA-RC4-SHA", "kECDHE", "aRSA", "RC4", "SHA1", "TLS1", 80, "withRC4"),
		old("0xC016", "AECDH-RC4-SHA", "kECDHE", "aNULL", "RC4", "SHA1", "TLS1", 80, "withRC4"),
		old("0xC033", "ECDHE-PSK-RC4-SHA", "kECDHEPSK", "aPSK", "RC4", "SHA1", "TLS1", 80, "withRC4"),
	}
}
