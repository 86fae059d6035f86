import { createHash } from 'node:crypto'
import type { KmsContext } from './kms.ts'

/** The KMS context of a DEK: what the wrap is bound to, and what the KMS writes to its audit log. */
export function kmsContextOf(dekId: string, keyDomain: string): KmsContext {
  return { app: 'sealstream', dek: dekId, domain: keyDomain, v: '1' }
}

/** SHA-256 of the context as JSON with its names in order; the segment header commits to it. */
export function hashKmsContext(context: KmsContext): Uint8Array {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(pairs)).digest()
}
