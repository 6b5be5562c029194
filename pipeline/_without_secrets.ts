/**
 * Addresses without what nobody else should see.
 *
 * @module
 */

/** An address as it may appear in errors and logs: without a user's name and password, and without a ticket in its query. */
export function withoutSecrets(address: string): string {
  return address.replace(/\/\/[^/?#]*@/, "//").replace(/\?[^#]*/, "");
}
