import { assert, assertEquals, assertFalse, assertNotEquals } from "@std/assert";
import type { SessionRecord } from "../../../handlers/mod.ts";
import { firstClaim, problemOf } from "../../../handlers/stores/_session_record.ts";
import { sessionOf } from "./_session_store_suite.ts";

Deno.test("problemOf() names the field, what it must be and what it is", () => {
  const cases: [unknown, string][] = [
    [null, "it must be an object, got null"],
    ["text", 'it must be an object, got "text"'],
    [{}, "id must be 32 hexadecimal digits, got undefined"],
    [sessionOf({ id: "xyz" }), 'id must be 32 hexadecimal digits, got "xyz"'],
    [sessionOf({ links: 0.5 }), "links must be a whole number of 0 or more, got 0.5"],
    [sessionOf({ received: -1 }), "received must be a whole number of 0 or more, got -1"],
    [
      sessionOf({ acknowledged: 2 ** 53 }),
      "acknowledged must be a whole number of 0 or more, got 9007199254740992",
    ],
    [sessionOf({ messages: {} as [] }), "messages must be a list, got [object Object]"],
    [sessionOf({ messages: [new Uint8Array(1), null!] }), "messages[1] must be bytes, got null"],
    [sessionOf({ atMs: Infinity }), "atMs must be from 0 to 8640000000000000, got Infinity"],
  ];
  for (const [value, problem] of cases) assertEquals(problemOf(value), problem);
  assertEquals(problemOf(sessionOf()), undefined);
});

Deno.test("problemOf() does not tell a token that it finds wrong", () => {
  const token = "secret";
  const problem = problemOf({ ...sessionOf(), token } as SessionRecord)!;
  assertEquals(problem, "token must be 64 hexadecimal digits, got something else");
  assertFalse(problem.includes(token));
});

Deno.test("firstClaim() is another number each time, with room to count up from", () => {
  const [one, two] = [firstClaim(), firstClaim()];
  assertNotEquals(one, two);
  for (const claim of [one, two]) assert(Number.isSafeInteger(claim) && claim >= 1 && claim <= 2 ** 48);
});
