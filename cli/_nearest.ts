/**
 * What the user may have meant.
 *
 * @module
 */

/**
 * Finds the word that is most like one.
 *
 * @param word What the user wrote.
 * @param words What there is.
 * @returns It, or undefined if none is near enough to be more help than puzzle.
 */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const written = word.replace(/^-+/, "").toLowerCase();
  if (written.length < 2) return undefined;
  let found: string | undefined = undefined;
  let least = Math.ceil(written.length / 3) + 1;
  for (const each of words) {
    const meant = each.replace(/^-+/, "");
    const distance = meant.startsWith(written) ? 1 : distanceOf(written, meant);
    if (distance < least) [found, least] = [each, distance];
  }
  return found;
}

/** How many letters must be changed, put in, left out or swapped with the next one. */
function distanceOf(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      row[j] = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last.at(-1)!;
}
