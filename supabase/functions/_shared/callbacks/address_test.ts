import { strict as assert } from "node:assert";
import { isPublic, literalOf, portOf, refuseUrl } from "./address.ts";

const REFUSED_ADDRESSES: [string, string][] = [
  ["this host", "0.0.0.0"],
  ["this network", "0.1.2.3"],
  ["loopback", "127.0.0.1"],
  ["another loopback", "127.255.255.254"],
  ["private, class A", "10.0.0.1"],
  ["private, class B", "172.16.0.1"],
  ["private, end of class B", "172.31.255.255"],
  ["private, class C", "192.168.1.1"],
  ["link-local", "169.254.1.1"],
  ["metadata of AWS, Google, Azure and others", "169.254.169.254"],
  ["metadata of containers on AWS", "169.254.170.2"],
  ["metadata of Oracle", "192.0.0.192"],
  ["metadata of Alibaba", "100.100.100.200"],
  ["platform channel of Azure", "168.63.129.16"],
  ["carrier-grade NAT", "100.64.0.1"],
  ["end of carrier-grade NAT", "100.127.255.255"],
  ["protocol assignments", "192.0.0.1"],
  ["documentation", "192.0.2.1"],
  ["more documentation", "203.0.113.7"],
  ["benchmarks", "198.18.0.1"],
  ["6to4 relay", "192.88.99.1"],
  ["multicast", "224.0.0.1"],
  ["reserved", "240.0.0.1"],
  ["broadcast", "255.255.255.255"],
  ["unspecified, version 6", "::"],
  ["loopback, version 6", "::1"],
  ["link-local, version 6", "fe80::1"],
  ["site-local, version 6", "fec0::1"],
  ["unique-local", "fc00::1"],
  ["metadata of AWS, version 6", "fd00:ec2::254"],
  ["multicast, version 6", "ff02::1"],
  ["mapped loopback", "::ffff:127.0.0.1"],
  ["mapped loopback in hexadecimal", "::ffff:7f00:1"],
  ["mapped public address", "::ffff:8.8.8.8"],
  ["compatible loopback", "::127.0.0.1"],
  ["translated loopback", "::ffff:0:127.0.0.1"],
  ["loopback through NAT64", "64:ff9b::7f00:1"],
  ["loopback through a local NAT64", "64:ff9b:1::7f00:1"],
  ["loopback through 6to4", "2002:7f00:1::"],
  ["Teredo", "2001::1"],
  ["documentation, version 6", "2001:db8::1"],
  ["discard", "100::1"],
  ["no address at all", "example.com"],
];

for (const [what, address] of REFUSED_ADDRESSES) {
  Deno.test(`isPublic() refuses ${what}: ${address}`, () => assert.ok(!isPublic(address)));
}

for (const address of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"]) {
  Deno.test(`isPublic() lets ${address} pass`, () => assert.ok(isPublic(address)));
}

const REFUSED_URLS: [string, string, RegExp][] = [
  ["no address", "hook", /must be an https address/],
  ["another protocol", "ftp://example.com/hook", /must be an https address/],
  ["a file", "file:///etc/passwd", /must be an https address/],
  ["plain http", "http://example.com/hook", /must begin with https/],
  ["a name", "https://ann@example.com/hook", /name or password/],
  ["a password", "https://:secret@example.com/hook", /name or password/],
  ["a fragment", "https://example.com/hook#there", /fragment/],
  ["the port of mail", "https://example.com:25/hook", /port/],
  ["the port of SSH", "https://example.com:22/hook", /port/],
  ["the port of http", "https://example.com:80/hook", /port/],
  ["an overlong one", `https://example.com/${"x".repeat(2_048)}`, /more than 2048/],
  ["a private address", "https://10.0.0.1/hook", /public/],
  ["a loopback written as one number", "https://2130706433/hook", /public/],
  ["a loopback in hexadecimal", "https://0x7f.1/hook", /public/],
  ["a loopback in octal", "https://0177.0.0.1/hook", /public/],
  ["a loopback with full-width digits", "https://１２７.0.0.1/hook", /public/],
  ["a loopback in brackets", "https://[::1]/hook", /public/],
  ["a mapped loopback in brackets", "https://[::ffff:127.0.0.1]/hook", /public/],
  ["a metadata address", "https://169.254.169.254/latest/meta-data", /public/],
];

for (const [what, url, reason] of REFUSED_URLS) {
  Deno.test(`refuseUrl() refuses ${what}`, () => assert.match(refuseUrl(url, "public")!, reason));
}

for (
  const url of [
    "https://example.com",
    "https://example.com:8443/hooks/whatsapp?tenant=1",
    "https://8.8.8.8/hook",
    "https://[2606:4700::1111]/hook",
    "https://xn--bcher-kva.example/hook",
  ]
) {
  Deno.test(`refuseUrl() lets ${url} pass`, () => assert.equal(refuseUrl(url, "public"), null));
}

Deno.test("refuseUrl() lets a platform of one's own be called on itself, still without a password", () => {
  assert.equal(refuseUrl("http://127.0.0.1:80/hook", "any"), null);
  assert.match(refuseUrl("http://ann@127.0.0.1/hook", "any")!, /name or password/);
  assert.match(refuseUrl("file:///etc/passwd", "any")!, /https address/);
});

Deno.test("literalOf() and portOf() read what a URL says and implies", () => {
  assert.equal(literalOf(new URL("https://[::1]:8443/")), "::1");
  assert.equal(literalOf(new URL("https://2130706433/")), "127.0.0.1");
  assert.equal(literalOf(new URL("https://example.com/")), null);
  assert.equal(portOf(new URL("https://example.com/")), 443);
  assert.equal(portOf(new URL("http://example.com/")), 80);
  assert.equal(portOf(new URL("https://example.com:8443/")), 8443);
});
