/**
 * What pandas infers for the index over a whole column, and the numpy dtype that gives every part of the column the
 * same values (pandas 3.1.1, ParserBase._agg_index and _infer_types):
 *
 * | kind     | the column                                                       | dtype to force |
 * |----------|------------------------------------------------------------------|----------------|
 * | integer  | whole numbers that fit int64, none missing                       | int64          |
 * | range    | the same in equal steps, two or more: pandas makes a RangeIndex  | int64          |
 * | unsigned | whole numbers that fit uint64, one above int64                   | uint64         |
 * | float    | numbers, one of them a fraction or missing                       | float64        |
 * | empty    | nothing but missing values                                       | float64        |
 * | boolean  | only words for true and false, none missing                      | bool           |
 * | text     | anything else; missing values stay missing                       | str            |
 */
export const INDEX_KINDS = ['integer', 'range', 'unsigned', 'float', 'empty', 'boolean', 'text'] as const

export type IndexKind = (typeof INDEX_KINDS)[number]
