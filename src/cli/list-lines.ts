import type { ImpactPage } from '../incident/impact.ts'
import { renderJson } from './render.ts'

/** How a list of messages is written: JSON objects, one a line, or CSV as in RFC 4180. */
export type ListFormat = 'ndjson' | 'csv'

const COLUMNS = [
  ...['dekId', 'kekId', 'kekVersion', 'object', 'state'],
  ...['topic', 'partition', 'offset', 'position', 'length'],
] as const

/** Digits of the largest safe integer. */
const DIGITS_MAX = 16
const NUMBERS = 3
const BILLION = 1e9
const ZERO = 0x30

/** What stands before, between and behind the three numbers of a line. */
interface LineParts {
  readonly beforePosition: Buffer
  readonly beforeLength: Buffer
  readonly end: Buffer
}

const PARTS: Readonly<Record<ListFormat, LineParts>> = {
  ndjson: {
    beforePosition: Buffer.from(',"position":'),
    beforeLength: Buffer.from(',"length":'),
    end: Buffer.from('}\n'),
  },
  csv: {
    beforePosition: Buffer.from(','),
    beforeLength: Buffer.from(','),
    end: Buffer.from('\r\n'),
  },
}

/** The first line of a list; empty where the format has none. */
export function listHead(format: ListFormat): string {
  return format === 'csv' ? `${COLUMNS.join(',')}\r\n` : ''
}

/**
 * One line for each message of a page. All of a line but three numbers is the same for a source of a
 * segment, so it is written once and then copied as bytes: no object, no string a message.
 */
export function listLines(format: ListFormat, { dek, segment, frames }: ImpactPage): Buffer {
  const { beforePosition, beforeLength, end } = PARTS[format]
  const constants = [dek.dekId, dek.kekId, dek.kekVersion, segment.objectKey, segment.state]
  const heads = frames.sources.map(({ topic, partition }) =>
    headOf(format, [...constants, topic, partition]),
  )
  const headBytes = Math.max(0, ...heads.map((head) => head.length))
  const between = beforePosition.length + beforeLength.length + end.length
  const lines = Buffer.allocUnsafe(frames.count * (headBytes + between + NUMBERS * DIGITS_MAX))
  let at = 0
  for (let i = 0; i < frames.count; i++) {
    const head = heads[frames.source[i] as number] as Buffer
    lines.set(head, at)
    at = writeNumber(lines, at + head.length, frames.offset[i] as number)
    lines.set(beforePosition, at)
    at = writeNumber(lines, at + beforePosition.length, frames.position[i] as number)
    lines.set(beforeLength, at)
    at = writeNumber(lines, at + beforeLength.length, frames.length[i] as number)
    lines.set(end, at)
    at += end.length
  }
  return lines.subarray(0, at)
}

/** The begin of a line up to its offset. */
function headOf(format: ListFormat, values: readonly (string | number | null)[]): Buffer {
  if (format === 'csv') return Buffer.from(`${values.map(csvField).join(',')},`)
  const object = Object.fromEntries(values.map((value, i) => [COLUMNS[i], value]))
  return Buffer.from(`${renderJson(object).slice(0, -'}\n'.length)},"offset":`)
}

/** RFC 4180: quoted where it must be, with quotes doubled; null is empty. */
function csvField(value: string | number | null): string {
  const text = String(value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** The decimal digits of a safe integer from 0 on; returns the position behind them. */
function writeNumber(target: Buffer, at: number, value: number): number {
  if (value < BILLION) return writeDigits(target, at, value, digitsOf(value))
  const high = Math.floor(value / BILLION)
  const end = writeDigits(target, at, high, digitsOf(high))
  return writeDigits(target, end, value - high * BILLION, 9)
}

/** `value` is below 10^9, so that it is a small integer to V8. */
function writeDigits(target: Buffer, at: number, value: number, digits: number): number {
  let rest = value | 0
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0
    target[i] = ZERO + rest - tenth * 10
    rest = tenth
  }
  return at + digits
}

function digitsOf(value: number): number {
  let digits = 1
  for (let bound = 10; value >= bound; bound *= 10) digits++
  return digits
}
