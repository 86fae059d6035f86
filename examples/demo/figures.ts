const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** A count with thousands separated: `200,000`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Bytes in the largest unit that leaves a figure of 1 or more: `31.0 MiB`. */
export function bytes(value: number): string {
  let amount = value
  let unit = 0
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024
    unit += 1
  }
  return unit === 0 ? `${count(value)} B` : `${amount.toFixed(1)} ${UNITS[unit]}`
}

/** Seconds with one digit: `5.1 s`. */
export function seconds(value: number): string {
  return `${value.toFixed(1)} s`
}

/** A measured figure, with a digit only where it says something: `3.2`, `1,235`. */
export function measured(value: number): string {
  return value < 100 ? value.toFixed(1) : count(value)
}

/** A count and its word: `1 message`, `2 messages`. */
export function counted(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`
}

/** How long so many messages take at this rate: `12 s`, `1 min 39 s`. */
export function timeLeft(messages: number, perSecond: number): string {
  const leftSeconds = Math.ceil(Math.max(0, messages) / perSecond)
  if (leftSeconds < 60) return `${leftSeconds} s`
  return `${Math.floor(leftSeconds / 60)} min ${leftSeconds % 60} s`
}
