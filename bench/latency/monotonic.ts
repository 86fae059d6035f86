/** Milliseconds of a clock that all processes of a machine share and nobody sets back. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}
