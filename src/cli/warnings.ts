/** kafkajs computes negative delays, which Node clamps to 1 ms and warns about; no user can act. */
const HIDDEN = new Set(['TimeoutNegativeWarning'])

/** Keeps warnings that no user can act on out of the terminal. All others are shown as before. */
export function hideHarmlessWarnings(): void {
  const shown = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (HIDDEN.has(warning.name)) return
    for (const show of shown) show(warning)
  })
}
