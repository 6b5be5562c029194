import { assertEquals } from "@std/assert";
import { nearest } from "../../cli/_nearest.ts";

const WORDS = ["--push-every", "--push-gaps", "--store", "--json", "--help"];

for (
  const [word, meant] of [
    ["--stroe", "--store"],
    ["--josn", "--json"],
    ["-json", "--json"],
    ["--JSON", "--json"],
    ["--helpp", "--help"],
    ["--push", "--push-every"],
    ["--push-gap", "--push-gaps"],
    ["--colour", undefined],
    ["-j", undefined],
    ["--", undefined],
  ] as const
) {
  Deno.test(`nearest() takes ${word} for ${meant ?? "nothing that is known"}`, () => {
    assertEquals(nearest(word, WORDS), meant);
  });
}
