import { assertEquals, assertMatch } from "@std/assert";
import { networkIdentity } from "../../handlers/mod.ts";

function identityOf(localAddress: string): string {
  return networkIdentity({ localAddress }, undefined);
}

Deno.test("networkIdentity() is the same for all hosts of an IP network and differs between networks", () => {
  const networks = [
    ["tcp://192.168.1.23:50000", "tls://192.168.1.99:1", "tcp://[::ffff:192.168.1.5]:80"],
    ["tcp://192.168.2.23:50000"],
    ["tcp://10.0.0.1:5", "tcp://10.0.0.254:7"],
    [
      "tcp://[2001:db8:1:2::5]:443",
      "tls://[2001:0DB8:1:2:aaaa:bbbb:cccc:dddd]:9",
      "tcp://[2001:db8:1:2:0:0:0:1]:1",
    ],
    ["tcp://[2001:db8:1:3::5]:443"],
    ["tcp://[2001:db8::5]:443", "tcp://[2001:db8:0:0:1::]:443"],
    ["tcp://[fe80::1%eth0]:443", "tcp://[fe80::2]:443"],
    ["tcp://[::1]:443"],
  ];
  const identities = networks.map((addresses) => [...new Set(addresses.map(identityOf))]);
  assertEquals(identities.map(({ length }) => length), networks.map(() => 1));
  assertEquals(new Set(identities.flat()).size, networks.length);
});

Deno.test("networkIdentity() shows no address", () => {
  for (const address of ["tcp://192.168.1.23:50000", "tcp://[2001:db8:1:2::5]:443"]) {
    assertMatch(identityOf(address), /^net-[0-9a-f]{8}$/);
  }
});

Deno.test("networkIdentity() goes by the address, then by the type of the connection, then takes all for one", () => {
  const wifi = { type: "wifi" };
  assertEquals(networkIdentity({ localAddress: "tcp://10.0.0.1:5" }, wifi), identityOf("tcp://10.0.0.1:5"));
  for (const localAddress of ["", "memory://#1", "wss://chat.example/", "tcp://host:1"]) {
    assertEquals(networkIdentity({ localAddress }, wifi), "wifi");
    assertEquals(identityOf(localAddress), "default");
  }
  for (const type of [undefined, "none", "unknown", "other", "mixed"]) {
    assertEquals(networkIdentity({ localAddress: "" }, { type }), "default");
  }
});
