/** A running count on stderr. */
export interface Progress {
  add(count: number): void
  end(): void
}

const EVERY_MS = 500

/**
 * Shows how many `things` went by and how fast, and where the `total` is known the share and the
 * time that is left. Only on a terminal and when `isWanted`: pipes and logs get nothing but data.
 */
export function startProgress(things: string, isWanted: boolean, total?: number): Progress {
  if (!isWanted || !process.stderr.isTTY) return { add: () => {}, end: () => {} }
  const startedAtMs = performance.now()
  let count = 0
  const show = () => {
    const seconds = (performance.now() - startedAtMs) / 1000
    const perSecond = count / Math.max(seconds, 0.001)
    process.stderr.write(`\r\x1b[K${progressLine(things, count, perSecond, total)}`)
  }
  const timer = setInterval(show, EVERY_MS)
  return {
    add: (more) => {
      count += more
    },
    end: () => {
      clearInterval(timer)
      show()
      process.stderr.write('\n')
    },
  }
}

/** One line of progress. */
export function progressLine(
  things: string,
  count: number,
  perSecond: number,
  total?: number,
): string {
  const number = (value: number) => Math.round(value).toLocaleString('en')
  const line = `${number(count)} ${things}, ${number(perSecond)}/s`
  if (total === undefined || total === 0 || perSecond === 0) return line
  const share = Math.min(100, Math.floor((100 * count) / total))
  const leftSeconds = Math.max(0, (total - count) / perSecond)
  return `${line}, ${share} %, ${number(leftSeconds)} s left`
}
