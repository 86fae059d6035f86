import { footerTag } from '../../src/crypto/footer-tag.ts'
import { NodeFrameCipher } from '../../src/crypto/node-cipher.ts'
import { SecretBytes } from '../../src/crypto/secret-bytes.ts'
import { keysForSegment } from '../../src/crypto/segment-keys.ts'
import { FrameAad, type FrameContext } from '../../src/format/aad.ts'
import { joinFooter } from '../../src/format/segment-footer.ts'
import { decodeHeader } from '../../src/format/segment-header.ts'
import { sealInput } from './seal-input.ts'
import { BASE } from './v1-inputs.ts'
import { placeOf, type VectorPlace, type VectorWrap } from './vector-files.ts'

/** Where the first frame begins, and its parcel. */
const FRAME_AT = 160
const PARCEL_AT = 180
const TAG_AND_TRAILER_BYTES = 48

/** The base vector, to be damaged in one place. */
export class Draft {
  bytes: Buffer
  metadata: Record<string, string>
  kms: readonly VectorWrap[]
  allowedKekIds: readonly string[]
  objectKey: string
  reference: Record<string, unknown>

  constructor() {
    const output = sealInput(BASE.input)
    const { kms, allowedKekIds, objectKey } = placeOf({ ...BASE, output })
    this.bytes = Buffer.from(output.object, 'hex')
    this.metadata = { ...output.metadata }
    this.kms = kms
    this.allowedKekIds = allowedKekIds
    this.objectKey = objectKey
    this.reference = JSON.parse(output.references[0] as string)
  }

  get header(): Buffer {
    return this.bytes.subarray(0, FRAME_AT)
  }

  get footerAt(): number {
    return this.bytes.length - this.bytes.readUInt32BE(this.bytes.length - 16)
  }

  /** What the tag of the footer covers; a copy. */
  get covered(): Buffer {
    return Buffer.from(this.bytes.subarray(this.footerAt, -TAG_AND_TRAILER_BYTES))
  }

  get tag(): Buffer {
    return Buffer.from(this.bytes.subarray(-TAG_AND_TRAILER_BYTES, -16))
  }

  get frameLength(): number {
    return this.bytes.readUInt32BE(FRAME_AT)
  }

  place(): VectorPlace {
    const { kms, allowedKekIds, objectKey, metadata, bytes } = this
    return { kms, allowedKekIds, objectKey, metadata, object: bytes.toString('hex') }
  }
}

/** One change of a draft. */
export type Harm = (draft: Draft) => void

/** Flips bits of one byte. */
export function flip(bytes: Buffer, at: number, mask = 1): void {
  bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at)
}

/** Changes fields of the draft. */
export function set(change: (draft: Draft) => Partial<Draft>): Harm {
  return (draft) => void Object.assign(draft, change(draft))
}

/** Changes the object. */
export function body(change: (bytes: Buffer, draft: Draft) => void): Harm {
  return (draft) => change(draft.bytes, draft)
}

/** Sets one name of the metadata. */
export function meta(name: string, value: (old: string) => string): Harm {
  return ({ metadata }) => void Object.assign(metadata, { [name]: value(metadata[name] as string) })
}

/** Makes the token so long that the metadata have this many bytes, names and values. */
export function fillMetadata(bytes: number): Harm {
  return ({ metadata }) => {
    const entries = Object.entries({ ...metadata, 'ss-u': '' })
    const rest = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
    metadata['ss-u'] = 'u'.repeat(bytes - rest)
  }
}

/** Sets fields of the reference. */
export function ask(change: (draft: Draft) => Record<string, unknown>): Harm {
  return (draft) => void Object.assign(draft.reference, change(draft))
}

/** Changes what the KMS knows. */
export function rewrap(change: Partial<VectorWrap>): Harm {
  return set(({ kms }) => ({ kms: kms.map((wrap) => ({ ...wrap, ...change })) }))
}

/** Changes both copies of the header. */
export function rehead(change: (header: Buffer) => void): Harm {
  return (draft) => {
    change(draft.header)
    draft.metadata['ss-h'] = draft.header.toString('base64url')
  }
}

/** Replaces the footer behind the frames, which end at `framesEnd`; length and checksum are right. */
export function refoot(draft: Draft, covered: Buffer, tag: Uint8Array, framesEnd?: number): void {
  const frames = draft.bytes.subarray(0, framesEnd ?? draft.footerAt)
  draft.bytes = Buffer.concat([frames, joinFooter(covered, tag)])
}

/** Replaces bytes of what the tag covers; tag and checksum are right, so that is the only fault. */
export function splice(at: number, remove: number, bytes: (old: number) => number[]): Harm {
  return (draft) => {
    const { covered } = draft
    const put = Buffer.from(bytes(covered[at] as number))
    const changed = Buffer.concat([covered.subarray(0, at), put, covered.subarray(at + remove)])
    refoot(draft, changed, footerTag(keys().footerKey, draft.header, changed))
  }
}

/** Changes what the tag covers, or the tag, as somebody without the key can. */
export function forge(change: (covered: Buffer, tag: Buffer) => void): Harm {
  return (draft) => {
    const { covered, tag } = draft
    change(covered, tag)
    refoot(draft, covered, tag)
  }
}

/** Takes the last frame out, and its entry, as well as somebody without the key can. */
export function dropLast(draft: Draft): void {
  const { covered, tag } = draft
  // Each number of the last entry takes one byte.
  const entryAt = covered.length - 4
  const framesEnd = draft.footerAt - covered.readUInt8(entryAt)
  covered.writeUInt32BE(2, 4)
  covered.writeBigUInt64BE(BigInt(framesEnd), 10)
  refoot(draft, covered.subarray(0, entryAt), tag, framesEnd)
}

/** Puts the first two frames, equally long, in the place of each other. */
export function swapFrames({ bytes, frameLength }: Draft): void {
  const first = Buffer.from(bytes.subarray(FRAME_AT, FRAME_AT + frameLength))
  bytes.copyWithin(FRAME_AT, FRAME_AT + frameLength, FRAME_AT + 2 * frameLength)
  bytes.set(first, FRAME_AT + frameLength)
}

/** Seals the first frame again: another parcel, other associated data, the nonce of another seq. */
export function reseal(change: {
  readonly parcel?: (parcel: Buffer) => void
  readonly context?: Partial<FrameContext>
  readonly seq?: number
}): Harm {
  return ({ bytes, frameLength }) => {
    const { segmentId, clusterId } = BASE.input
    const context = { segmentId, clusterId, topic: 'orders', partition: 0 }
    const cipher = new NodeFrameCipher(keys())
    const right = new FrameAad(context).of(bytes, FRAME_AT)
    const parcel = cipher.open(bytes, FRAME_AT, frameLength, 0, right)
    change.parcel?.(parcel)
    bytes.set(parcel, PARCEL_AT)
    const aad = new FrameAad({ ...context, ...change.context }).of(bytes, FRAME_AT)
    cipher.seal(bytes, FRAME_AT, frameLength, change.seq ?? 0, aad)
  }
}

/** The keys of the base vector. */
function keys() {
  const header = Buffer.from(sealInput(BASE.input).header, 'hex')
  return keysForSegment(
    SecretBytes.takeFrom(Buffer.from(BASE.input.dek, 'hex')),
    decodeHeader(header),
  )
}
