const FIGURES = 4

/** A number with four figures at most, and never with an exponent. */
export function numberText(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value)
  const digits = FIGURES - 1 - Math.floor(Math.log10(Math.abs(value)))
  return value.toFixed(Math.min(Math.max(digits, 0), 20))
}
