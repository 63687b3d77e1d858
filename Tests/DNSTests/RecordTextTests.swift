import DNS
import Testing

@Suite struct RecordTextTests {
  /// Type and data in text, the wire form in hexadecimal, and how it is printed if otherwise.
  static let good: [(String, String, String?)] = [
    ("A 192.0.2.1", "C0000201", nil),
    ("AAAA 2001:DB8::1", "20010DB8000000000000000000000001", "AAAA 2001:db8::1"),
    ("NS ns", "026E73017A00", "NS ns.z."),
    ("MX 10 m.", "000A016D00", nil),
    (
      "SOA m h 1 2h 30m 2w 1h30m", "016D017A000168017A0000000001000" + "01C20000007080012750000001518",
      "SOA m.z. h.z. 1 7200 1800 1209600 5400"
    ),
    ("TXT one \"two three\"", "036F6E650974776F207468726565", "TXT \"one\" \"two three\""),
    ("TXT \"\"", "00", nil),
    ("TXT \"a\\\"b\\\\\\007\"", "056122625C07", nil),
    ("SRV 1 2 443 www", "0001000201BB03777777017A00", "SRV 1 2 443 www.z."),
    ("CAA 0 issue \"ca.example\"", "00056973737565" + "63612E6578616D706C65", nil),
    ("PTR p.", "017000", nil),
    ("NAPTR 100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.", "006400320173075349502B44325500045F736970045F75647000", nil),
    ("TLSA 3 1 1 ab CD", "030101ABCD", "TLSA 3 1 1 ABCD"),
    ("DS 1 13 2 00", "00010D0200", nil),
    ("SSHFP 4 2 12", "040212", nil),
    ("DNSKEY 257 3 13 AQID", "0101030D010203", nil),
    ("HINFO a b", "01610162", "HINFO \"a\" \"b\""),
    ("TYPE62347 \\# 3 010203", "010203", nil),
    ("TYPE62347 \\# 0", "", nil),
    ("A \\# 4 C0000201", "C0000201", "A 192.0.2.1"),
    // RFC 9460, appendix D.
    ("HTTPS 0 foo.example.com.", "000003666F6F076578616D706C6503636F6D00", nil),
    ("SVCB 1 .", "000100", nil),
    ("SVCB 16 foo. port=53", "001003666F6F00000300020035", nil),
    ("SVCB 1 foo. key667=hello", "000103666F6F00029B000568656C6C6F", "SVCB 1 foo. key667=\"hello\""),
    ("SVCB 1 foo. key667=\"hello\\210qoo\"", "000103666F6F00029B000968656C6C6FD2716F6F", nil),
    (
      "SVCB 1 foo. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
      "000103666F6F000006002020010DB800000000000000000000000120010DB8000000000000000000530001",
      "SVCB 1 foo. ipv6hint=2001:db8::1,2001:db8::53:1"
    ),
    (
      "SVCB 16 foo. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
      "001003666F6F00000000040001000400010009026832056833" + "2D313900040004C0000201",
      "SVCB 16 foo. mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1"
    ),
    ("SVCB 16 foo. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", "001003666F6F000001000C08665C6F6F2C626172026832", nil),
    (
      "SVCB 16 foo. alpn=f\\\\\\092oo\\092,bar,h2", "001003666F6F000001000C08665C6F6F2C626172026832",
      "SVCB 16 foo. alpn=\"f\\\\\\\\oo\\\\,bar,h2\""
    ),
    (
      "HTTPS 1 . alpn=h2 no-default-alpn ech=AQID", "0001000001000302683200020000000500" + "03010203",
      "HTTPS 1 . alpn=\"h2\" no-default-alpn ech=AQID"
    ),
  ]

  @Test(arguments: good.indices) func becomesWireAndText(_ index: Int) throws {
    let (text, hex, printed) = Self.good[index]
    let file = ZoneFile(Array("x 1 IN \(text)\n".utf8), file: "f", origin: named("z"))
    #expect(file.diagnostics == [], "\(text)")
    let record = try #require(file.records.first?.record)
    #expect(
      record.data.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined().uppercased() == hex,
      "\(text)")
    #expect(record.description == "x.z. 1 IN \(printed ?? text)")
    let again = ZoneFile(Array("\(record)\n".utf8), file: "f", origin: .root)
    #expect(again.records.first?.record == record, "\(record)")
  }
}
