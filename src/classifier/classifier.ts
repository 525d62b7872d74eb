/** What a cell of an output row may be: null and undefined make an empty cell, all else the text `String` makes of it. */
export type Cell = string | number | bigint | boolean | null | undefined

/**
 * A classifier in TypeScript or JavaScript: the default export of a module, or a named one (`FILE:NAME`).
 *
 * It gets up to `--batch-rows` rows, the values as text, as many in each as `header` has names, and gives one output row
 * for each, in the same order, all of one width; it may be async. It is called for one batch at a time, in a thread of
 * its own. The rows are its own to change. A job without rows calls it once without any.
 * The output columns are called as the module's export `columns` says (a list of names); without that export as in
 * `header` where there are as many, else 0, 1, 2, ...
 */
export type Classifier = (
  rows: string[][],
  header: readonly string[],
) => readonly (readonly Cell[])[] | Promise<readonly (readonly Cell[])[]>
