/** A cell of an output row. Null and undefined become an empty cell, anything else becomes the text of `String`. */
export type Cell = string | number | bigint | boolean | null | undefined

/**
 * A classifier in TypeScript or JavaScript: the default export of a module, or a named one (`FILE:NAME`).
 *
 * It gets up to `--batch-rows` rows. Their values are text, and each row has as many values as `header` has names. It
 * returns one output row for each row, in the same order, all of the same width. It may be async. It runs in its own
 * thread, one batch at a time, and may change the rows it gets. For a job without rows it is called once, without rows.
 *
 * With `--rows any` an entry may also be a list of output rows. An empty list drops the row.
 *
 * The module may export `columns`, a list of names for the output columns. Without it the names are those of `header` if
 * there are as many columns, else 0, 1, 2, ...
 */
export type Classifier = (rows: string[][], header: readonly string[]) => Output | Promise<Output>

type Output = readonly (readonly Cell[] | readonly (readonly Cell[])[])[]
