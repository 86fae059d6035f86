import { isUtf8 } from 'node:buffer'
import type { Message } from '../format/message.ts'

/**
 * A message as one JSON object. Bytes that are UTF-8 stand as text; others in base64 under a name
 * that says so (`valueBase64`), so that every message survives the way to JSON and back.
 */
export function messageToJson(message: Message): Record<string, unknown> {
  const { topic, partition, offset, timestampMs, timestampType, headers } = message
  return {
    topic,
    partition,
    offset,
    timestampMs: Number.isSafeInteger(Number(timestampMs)) ? Number(timestampMs) : `${timestampMs}`,
    ...(timestampType === 'append' ? { timestampType } : {}),
    ...bytesToJson('key', message.key),
    ...bytesToJson('value', message.value),
    headers: headers.map(([name, value]) => ({
      ...bytesToJson('name', name),
      ...bytesToJson('value', value),
    })),
  }
}

function bytesToJson(name: string, bytes: Uint8Array | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return isUtf8(buffer)
    ? { [name]: buffer.toString('utf8') }
    : { [`${name}Base64`]: buffer.toString('base64') }
}
