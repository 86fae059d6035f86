/** A value that a quantity cannot have, as a reason for the one who wrote it. */
export interface Refusal {
  readonly refused: string
}

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const BYTE_UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const
const DECIMAL_BYTES = /^\d+(?:\.\d+)?\s*([KMGT])B$/i

/** Milliseconds of `250ms`, `10s`, `5m`, `1h` or a plain number of milliseconds. */
export function readDurationMs(value: number | string): number | Refusal {
  return readQuantity(value, DURATION_UNITS, 'a duration such as 250ms, 10s, 5m or 1h')
}

/** As {@link readDurationMs}, and days: for what is measured by the calendar. */
export function readAgeMs(value: number | string): number | Refusal {
  return readQuantity(value, { ...DURATION_UNITS, d: 86_400_000 }, 'an age such as 36h or 30d')
}

/** Bytes of `64KiB`, `8MiB`, `1GiB` or a plain number of bytes. Decimal units are refused. */
export function readBytes(value: number | string): number | Refusal {
  // 8MB means 8,000,000 to some and 8,388,608 to others, so neither is taken.
  const decimal = typeof value === 'string' ? DECIMAL_BYTES.exec(value.trim()) : null
  if (decimal !== null) {
    const prefix = decimal[1]?.toUpperCase()
    return { refused: `has a decimal unit, write ${prefix}iB (binary) in place of ${prefix}B` }
  }
  return readQuantity(value, BYTE_UNITS, 'a size such as 64KiB, 8MiB or 1GiB')
}

/** The shortest exact form of a duration; {@link readDurationMs} reads it back. */
export function formatDurationMs(durationMs: number): string {
  return formatQuantity(durationMs, DURATION_UNITS)
}

/** The shortest exact form of a size; {@link readBytes} reads it back. */
export function formatBytes(bytes: number): string {
  return formatQuantity(bytes, BYTE_UNITS)
}

function readQuantity(
  value: number | string,
  units: Readonly<Record<string, number>>,
  wanted: string,
): number | Refusal {
  let amount = value
  if (typeof amount === 'string') {
    const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(amount.trim())
    const unit = match?.[2] === undefined ? undefined : units[match[2]]
    if (unit === undefined) return { refused: `must be ${wanted}` }
    amount = Number(match?.[1]) * unit
  }
  if (!Number.isSafeInteger(amount) || amount < 0) return { refused: `must be ${wanted}` }
  return amount
}

function formatQuantity(amount: number, units: Readonly<Record<string, number>>): string {
  let text = String(amount)
  for (const [unit, factor] of Object.entries(units)) {
    if (amount >= factor && amount % factor === 0) text = `${amount / factor}${unit}`
  }
  return text
}
