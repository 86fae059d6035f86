import { idToBytes } from '../../format/ids.ts'

/** The bytes of a UUID text as the driver sends them on unchanged. Errors: SEAL_INPUT_INVALID. */
export function uuidBytes(text: string): Buffer {
  const bytes = idToBytes(text)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
