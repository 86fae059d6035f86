import { randomBytes } from 'node:crypto'
import { BatchTemplate } from './batch-template.ts'
import type { RecordContent } from './records.ts'

/** What messages look like. */
export interface Shape {
  /** Bytes of a value; `mix` is the one of {@link MIX}. */
  readonly size: number | 'mix'
  /** Values of the header `tenant` that take turns; 0 is no header. */
  readonly domains: number
}

/** The name of the header that {@link Shape.domains} is about. */
export const DOMAIN_HEADER = 'tenant'

/** Shares of messages by size: most are small, most bytes are in the large ones. */
export const MIX: readonly (readonly [bytes: number, share: number])[] = [
  [100, 0.5],
  [1024, 0.35],
  [16 * 1024, 0.14],
  [256 * 1024, 0.01],
]

const TEMPLATES = 8
const BATCH_BYTES = 512 * 1024
const BATCH_MESSAGES_MAX = 2_000

/** The mean bytes of a value. */
export function meanBytesOf({ size }: Shape): number {
  return size === 'mix' ? MIX.reduce((sum, [bytes, share]) => sum + bytes * share, 0) : size
}

/** Templates of random values of a shape, all of them different. */
export function templatesOf(shape: Shape): BatchTemplate[] {
  const count = Math.min(
    BATCH_MESSAGES_MAX,
    Math.max(1, Math.floor(BATCH_BYTES / meanBytesOf(shape))),
  )
  let index = 0
  return Array.from(
    { length: TEMPLATES },
    () => new BatchTemplate(Array.from({ length: count }, () => contentOf(shape, index++))),
  )
}

function contentOf({ size, domains }: Shape, index: number): RecordContent {
  const headers =
    domains === 0 ? [] : [[DOMAIN_HEADER, Buffer.from(`tenant-${index % domains}`)] as const]
  return { key: null, value: randomBytes(size === 'mix' ? mixedBytes(index) : size), headers }
}

/** Spread evenly by the golden ratio, so that any stretch of messages has about the same mix. */
function mixedBytes(index: number): number {
  let at = (index * 0.618033988749895) % 1
  for (const [bytes, share] of MIX) {
    if (at < share) return bytes
    at -= share
  }
  return MIX[0]?.[0] ?? 0
}
