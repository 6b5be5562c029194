/**
 * The part of an IPv6 address that all hosts of its network share.
 *
 * @module
 */

/**
 * The first 64 bits.
 *
 * @param address The address, without a zone.
 * @returns They, as four groups without leading zeros, in lower case.
 */
export function ipv6Prefix(address: string): string {
  const [left = "", right] = address.toLowerCase().split("::");
  const groups = groupsOf(left);
  // "::" stands for as many zeros as are missing.
  if (right !== undefined) {
    const tail = groupsOf(right);
    while (groups.length + tail.length < 8) groups.push("0");
    groups.push(...tail);
  }
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}

function groupsOf(part: string): string[] {
  return part.split(":").filter((group) => group !== "");
}
