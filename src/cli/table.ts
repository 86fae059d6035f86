import { printable } from './printable.ts'

/** Rows of texts in columns, each as wide as its widest text; the names of `right` stand right. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const table = [head, ...rows].map((row) => row.map(printable))
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  const lines = table.map((row) =>
    row
      .map((text, column) => {
        const width = widths[column] ?? 0
        return right.includes(head[column] ?? '') ? text.padStart(width) : text.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n`
}

/** `2026-01-02 03:04:05.678 UTC`; a dash for no time at all. */
export function renderTime(atMs: number | null): string {
  return atMs === null ? '-' : `${new Date(atMs).toISOString().slice(0, -1).replace('T', ' ')} UTC`
}

/** `1,234,567`. */
export function renderCount(count: number): string {
  return count.toLocaleString('en')
}

/** A duration, rounded up, in the unit that suits it. */
export function renderDuration(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`
  if (seconds < 7_200) return `${Math.ceil(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.ceil(seconds / 3_600)} h`
  return `${renderCount(Math.ceil(seconds / 86_400))} days`
}
