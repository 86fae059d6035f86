import { createCipheriv, randomBytes } from 'node:crypto'

/** One message on its way to a worker. */
export interface SealTask {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly aad: string
}

/** Seals one message: nonce, ciphertext and tag. */
export default function seal({ key, value, aad }: SealTask): Uint8Array {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(aad))
  const body = [cipher.update(value), cipher.final()]
  return Buffer.concat([nonce, ...body, cipher.getAuthTag()])
}
