/**
 * A float as pandas' to_csv writes it: the shortest digits that mean this float, as `repr` of Python writes them. From 1e16
 * on and below 1e-4 it has an exponent of at least two digits.
 */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Object.is(value, -0)) return '-0.0'
  const size = Math.abs(value)
  if (value !== 0 && (size >= 1e16 || size < 1e-4)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  }
  return Number.isInteger(value) ? `${BigInt(value)}.0` : String(value)
}
