import { createHash } from 'node:crypto'
import type { KmsContext } from './kms.ts'

/** The KMS context of a DEK: what the wrap is bound to, and what the KMS writes to its audit log. */
export function kmsContextOf(dekId: string, keyDomain: string): KmsContext {
  return { app: 'sealstream', dek: dekId, domain: keyDomain, v: '1' }
}

/** The context as JSON with its names in order: the same bytes for the same context. */
export function canonicalContext(context: KmsContext): Buffer {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.from(JSON.stringify(pairs))
}

/** SHA-256 of the canonical context; the segment header commits to it. */
export function hashKmsContext(context: KmsContext): Uint8Array {
  return createHash('sha256').update(canonicalContext(context)).digest()
}
