import { footerTag } from '../../src/crypto/footer-tag.ts'
import { NodeFrameCipher } from '../../src/crypto/node-cipher.ts'
import { SecretBytes } from '../../src/crypto/secret-bytes.ts'
import { keysForNewSegment, type NewSegmentKeys } from '../../src/crypto/segment-keys.ts'
import { FrameAad } from '../../src/format/aad.ts'
import { parcelBytes } from '../../src/format/parcel.ts'
import { ReferenceEncoder } from '../../src/format/reference-value.ts'
import { FooterBuilder, type FooterSource, joinFooter } from '../../src/format/segment-footer.ts'
import { encodeMetadata } from '../../src/format/segment-metadata.ts'
import { hashKmsContext, kmsContextOf } from '../../src/keys/kms-context.ts'
import { BufferPool } from '../../src/segment/buffer-pool.ts'
import { segmentObjectKey } from '../../src/segment/object-key.ts'
import { frameBytesOf, PartBuffer } from '../../src/segment/part-buffer.ts'
import {
  messageOf,
  type VectorInput,
  type VectorMessage,
  type VectorOutput,
} from './vector-files.ts'

const PART_BYTES_MAX = 8 * 1024 * 1024

interface Layout {
  /** The object with its frames still open, and its footer in place. */
  readonly bytes: Buffer
  readonly sources: readonly FooterSource[]
  readonly frames: readonly (VectorMessage & {
    readonly position: number
    readonly length: number
    readonly source: FooterSource
  })[]
}

/** Seals an input through the product's own functions below the one that draws the salt. */
export function sealInput(input: VectorInput): VectorOutput {
  const { segmentId, generation, dekId, keyDomain, clusterId, createdAtMs, kekId, token } = input
  const kmsContextHash = hashKmsContext(kmsContextOf(dekId, keyDomain))
  const salt = Buffer.from(input.salt, 'hex')
  const dek = SecretBytes.takeFrom(Buffer.from(input.dek, 'hex'))
  const fields = { segmentId, generation, dekId, salt, createdAtMs, kmsContextHash }
  const keys = keysForNewSegment(dek, fields)
  const { header } = keys
  const layout = lay(input, keys)
  sealFrames(layout, keys, segmentId)
  const objectKey = segmentObjectKey({ prefix: input.prefix }, keyDomain, segmentId, createdAtMs)
  const wrapped = Buffer.from(input.wrapped, 'hex')
  return {
    objectKey,
    header: Buffer.from(header).toString('hex'),
    kmsContextHash: Buffer.from(kmsContextHash).toString('hex'),
    metadata: encodeMetadata({ header, wrapped, kekId, keyDomain, clusterId, token }),
    object: layout.bytes.toString('hex'),
    references: layout.frames.map(({ topic, partition, offset, position, length }) =>
      new ReferenceEncoder(objectKey, topic, partition).encode(offset, position, length),
    ),
  }
}

function lay({ clusterId, messages }: VectorInput, keys: NewSegmentKeys): Layout {
  const part = new PartBuffer(keys.header, PART_BYTES_MAX, new BufferPool(0))
  const footer = new FooterBuilder()
  const sources: FooterSource[] = []
  const frames = messages.map((given) => {
    const { topic, partition, seq, offset } = given
    const isSame = (at: FooterSource) => at.topic === topic && at.partition === partition
    const known = sources.findIndex(isSame)
    const index = known >= 0 ? known : sources.push({ clusterId, topic, partition }) - 1
    const message = messageOf(given)
    const length = frameBytesOf(parcelBytes(message))
    const position = part.append(message, length, seq, index)
    footer.add(length, seq, index, offset)
    return { ...given, position, length, source: sources[index] as FooterSource }
  })
  const covered = footer.covered(sources, part.size)
  part.end(joinFooter(covered, footerTag(keys.footerKey, keys.header, covered)))
  const { buffer, size } = part.take()
  return { bytes: Buffer.from(buffer, 0, size), sources, frames }
}

function sealFrames({ bytes, frames }: Layout, keys: NewSegmentKeys, segmentId: string): void {
  const cipher = new NodeFrameCipher(keys)
  for (const { position, length, seq, source } of frames) {
    const aad = new FrameAad({ segmentId, ...source }).of(bytes, position)
    cipher.seal(bytes, position, length, seq, aad)
  }
}
