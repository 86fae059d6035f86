import { accessSync, constants, createReadStream, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import { messageOf, SealError } from '../../src/errors.ts'
import { type DemoMessage, type Load, plaintextBytes } from './load.ts'

/** What the encryptor takes by default (message.bytesMax). */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024

const lineSchema = z.strictObject({
  key: z.string().nullable().default(null),
  value: z.json(),
  headers: z.record(z.string(), z.string()).default({}),
  timestamp: z.union([z.int(), z.iso.datetime({ offset: true })]).optional(),
})

/**
 * The user's own data: NDJSON `{key?, value, headers?, timestamp?}` or plain lines; the first line
 * decides which. `-` is stdin. Empty lines are passed over. Throws SEAL_INPUT_INVALID at once when
 * the file cannot be read.
 */
export function inputLoad(file: string): Load {
  if (file !== '-') checkReadable(file)
  return {
    topic: 'input',
    messages: null,
    async *read() {
      const stream = file === '-' ? process.stdin : createReadStream(file)
      try {
        // Latin-1 maps bytes to characters one to one: plain lines keep their very bytes.
        yield* parseLines(createInterface({ input: stream.setEncoding('latin1') }), Date.now)
      } catch (error) {
        if (error instanceof SealError) throw error
        throw unreadable(file, error)
      }
    },
  }
}

function checkReadable(file: string): void {
  try {
    // Not opened: a pipe would be used up, or wait for its writer.
    accessSync(file, constants.R_OK)
  } catch (error) {
    throw unreadable(file, error)
  }
  if (statSync(file).isDirectory()) throw unreadable(file, 'is a folder')
}

function unreadable(file: string, reason: unknown): SealError {
  return new SealError('SEAL_INPUT_INVALID', `--input ${file}: ${messageOf(reason)}`)
}

/** Messages out of lines, each line's bytes as Latin-1. Throws SEAL_INPUT_INVALID, naming the line. */
export async function* parseLines(
  lines: AsyncIterable<string> | Iterable<string>,
  nowMs: () => number,
): AsyncIterable<DemoMessage> {
  let number = 0
  let isJson: boolean | null = null
  for await (const line of lines) {
    number += 1
    if (line.trim() === '') continue
    isJson ??= looksLikeMessage(line)
    const message = isJson ? jsonMessage(line, number, nowMs) : plainMessage(line, nowMs)
    const bytes = plaintextBytes(message)
    if (bytes > MESSAGE_BYTES_MAX) {
      throw refused(number, `has ${bytes} bytes, ${MESSAGE_BYTES_MAX} fit`)
    }
    yield message
  }
  if (isJson === null) throw new SealError('SEAL_INPUT_INVALID', 'the input has no messages')
}

/** A JSON object with a value is meant as a message; any other first line makes all lines plain. */
function looksLikeMessage(line: string): boolean {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null && 'value' in parsed
  } catch {
    return false
  }
}

function plainMessage(line: string, nowMs: () => number): DemoMessage {
  return { key: null, value: Buffer.from(line, 'latin1'), headers: [], timestampMs: nowMs() }
}

function jsonMessage(line: string, number: number, nowMs: () => number): DemoMessage {
  const { key, value, headers, timestamp } = parseJson(line, number)
  const text = typeof value === 'string' || value === null ? value : JSON.stringify(value)
  return {
    key: key === null ? null : Buffer.from(key),
    value: text === null ? null : Buffer.from(text),
    headers: Object.entries(headers).map(([name, header]) => [name, Buffer.from(header)]),
    timestampMs: typeof timestamp === 'string' ? Date.parse(timestamp) : (timestamp ?? nowMs()),
  }
}

function parseJson(line: string, number: number): z.output<typeof lineSchema> {
  let raw: unknown
  try {
    raw = JSON.parse(Buffer.from(line, 'latin1').toString('utf8'))
  } catch {
    throw refused(number, 'is not JSON, as the first line was')
  }
  const parsed = lineSchema.safeParse(raw)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const place = issue?.path.join('.') || 'the message'
  throw refused(number, `${place}: ${issue?.message ?? 'refused'}`)
}

function refused(number: number, reason: string): SealError {
  return new SealError('SEAL_INPUT_INVALID', `input line ${number}: ${reason}`)
}
