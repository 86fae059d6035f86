import { SealError } from '../errors.ts'

/** Bytes of an id of a DEK or a segment: a UUID without its hyphens. */
export const ID_BYTES = 16

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** True when `text` is a UUID in its lower-case text form. */
export function isId(text: string): boolean {
  return UUID.test(text)
}

/** The 16 bytes of a UUID text. Throws SEAL_INPUT_INVALID when it is not one. */
export function idToBytes(text: string): Uint8Array {
  if (!isId(text)) {
    throw new SealError('SEAL_INPUT_INVALID', `"${text.slice(0, 80)}" is not an id (a UUID)`)
  }
  return Buffer.from(text.replaceAll('-', ''), 'hex')
}

/** The UUID text of 16 bytes. */
export function idToText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}
