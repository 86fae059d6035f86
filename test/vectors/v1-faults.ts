import type { ErrorCode } from '../../src/errors.ts'
import { kmsContextOf } from '../../src/keys/kms-context.ts'
import * as damage from './damage.ts'
import {
  ask,
  body,
  flip,
  forge,
  type Harm,
  meta,
  rehead,
  reseal,
  rewrap,
  set,
  splice,
} from './damage.ts'
import { sealInput } from './seal-input.ts'
import { BASE } from './v1-inputs.ts'
import type { NegativeVector } from './vector-files.ts'

type Fault = readonly [name: string, about: string, harm: Harm, code?: ErrorCode]
type Faults = readonly (readonly [step: string, code: ErrorCode, faults: readonly Fault[]])[]

/** Where in the footer of the base vector the topic of the first source and the index begin. */
const TOPIC_AT = 35
const INDEX_AT = 64
const OTHER_DEK = '5a'.repeat(32)
const SUITE: ErrorCode = 'SEAL_SUITE_UNKNOWN'
const CONTEXT: ErrorCode = 'SEAL_CONTEXT_MISMATCH'
const MALFORMED: ErrorCode = 'SEAL_MALFORMED'

const otherName = (objectKey: string) => objectKey.replace('eeff', 'eefe')
const copied = set(({ objectKey }) => ({ objectKey: otherName(objectKey) }))

/** Headers and metadata. */
const HEADS: readonly Fault[] = [
  ['header-magic', 'both headers begin otherwise', rehead((h) => flip(h, 0))],
  ['header-version-2', 'both headers say version 2', rehead((h) => h.writeUInt8(2, 8)), SUITE],
  ['header-suite-2', 'both headers say suite 2', rehead((h) => h.writeUInt8(2, 9)), SUITE],
  ['header-length', 'both headers say 161 bytes', rehead((h) => h.writeUInt8(161, 11))],
  ['header-flags', 'both headers have a flag', rehead((h) => flip(h, 15))],
  ['header-reserved', 'both headers have a reserved byte', rehead((h) => flip(h, 39))],
  ['header-generation-0', 'both headers say 0', rehead((h) => h.writeUInt32BE(0, 32))],
  ['header-copies-differ', 'object and metadata differ in the salt', body((b) => flip(b, 60))],
  ['metadata-version-2', 'ss-v is 2', meta('ss-v', () => '2')],
  ['metadata-without-key', 'ss-k is empty', meta('ss-k', () => '')],
  ['metadata-padded-base64', 'ss-h has padding', meta('ss-h', (old) => `${old}=`)],
  ['metadata-odd-base64', 'ss-k has unused bits set', meta('ss-k', () => 'QB')],
  [
    'metadata-broken-percent',
    'ss-domain ends in an escape',
    meta('ss-domain', (old) => `${old}%F`),
  ],
  ['metadata-loose-percent', 'ss-domain escapes a letter', meta('ss-domain', () => '%6Frders')],
  ['metadata-not-utf-8', 'ss-domain is no UTF-8', meta('ss-domain', () => '%FF')],
  ['metadata-too-long', '2,049 bytes in all', damage.fillMetadata(2049)],
  [
    'metadata-other-cluster',
    'ss-cluster is not that of the sources',
    meta('ss-cluster', () => 'b'),
  ],
  ['object-under-other-name', 'the object key names another segment', copied, CONTEXT],
]

/** The end of the object, and the footer. All but the first five have the right checksum and tag. */
const FOOTERS: readonly Fault[] = [
  ['truncated', 'the last byte is missing', set(({ bytes }) => ({ bytes: bytes.subarray(0, -1) }))],
  [
    'appended',
    'a byte follows the footer',
    set(({ bytes }) => ({ bytes: Buffer.concat([bytes, Buffer.alloc(1)]) })),
  ],
  [
    'second-footer',
    'the footer stands there twice',
    set(({ bytes, footerAt }) => ({ bytes: Buffer.concat([bytes, bytes.subarray(footerAt)]) })),
  ],
  ['footer-checksum', 'a bit of the CRC-32 is flipped', body((b) => flip(b, b.length - 9))],
  ['footer-rot', 'a bit of the index is flipped', body((b, d) => flip(b, d.footerAt + INDEX_AT))],
  ['footer-length', 'longer than the object', body((b) => flip(b, b.length - 16))],
  ['footer-magic', 'another magic', splice(3, 1, () => [0x55])],
  ['footer-no-frames', 'frame count 0', splice(7, 1, () => [0])],
  ['footer-more-frames', 'frame count 4 over three entries', splice(7, 1, () => [4])],
  ['footer-fewer-frames', 'frame count 2 over three entries', splice(7, 1, () => [2])],
  ['footer-too-many-frames', 'frame count 2^20 + 3', splice(5, 1, () => [0x10])],
  ['footer-no-sources', 'source count 0', splice(9, 1, () => [0])],
  ['footer-frames-end', 'frames end a byte early', splice(17, 1, (old) => [old - 1])],
  ['footer-partition', 'a source of a partition below 0', splice(18, 1, () => [0x80])],
  ['footer-topic', 'a slash in a topic name', splice(TOPIC_AT, 1, () => [0x2f])],
  ['index-long-varint', 'two bytes where one does', splice(INDEX_AT, 1, (old) => [old | 0x80, 0])],
  ['index-unknown-source', 'a frame of source 2, of two', splice(INDEX_AT + 2, 1, () => [2])],
  ['index-length', 'a frame is a byte longer', splice(INDEX_AT, 1, (old) => [old + 1])],
  ['index-short-frame', 'a frame of 36 bytes', splice(INDEX_AT, 1, () => [36])],
  [
    'index-offset-beyond',
    'an offset above 2^53 - 1',
    splice(INDEX_AT + 7, 1, () => [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]),
  ],
  ['index-rest', 'a byte after the last entry', splice(INDEX_AT + 12, 0, () => [0])],
]

/** What somebody who can write to the bucket, and has no key, can try with the footer. */
const FOOTER_TAGS: readonly Fault[] = [
  ['tag-flipped', 'a bit of the tag is flipped', forge((_covered, tag) => flip(tag, 31))],
  ['source-renamed', 'a source of another topic', forge((covered) => flip(covered, TOPIC_AT))],
  ['frame-dropped', 'the last frame and its entry are taken out', damage.dropLast],
  [
    'footer-of-other-salt',
    'the footer of the same messages sealed with another salt',
    set(({ bytes, footerAt }) => {
      const other = Buffer.from(sealInput({ ...BASE.input, salt: OTHER_DEK }).object, 'hex')
      return { bytes: Buffer.concat([bytes.subarray(0, footerAt), other.subarray(footerAt)]) }
    }),
  ],
]

const KEYS: Faults = [
  [
    'allow-list',
    'SEAL_KEK_NOT_ALLOWED',
    [['kek-not-allowed', 'another KEK is on the list', set(() => ({ allowedKekIds: ['other'] }))]],
  ],
  [
    'unwrap',
    'SEAL_KMS_REFUSED',
    [
      ['other-domain', 'ss-domain is not that of the wrap', meta('ss-domain', () => 'payments')],
      ['other-dek-id', 'both headers name another DEK', rehead((h) => flip(h, 40))],
      ['other-wrap', 'ss-k is a wrap that the KMS does not know', meta('ss-k', () => 'QEA')],
      ['short-dek', 'the wrapped key has 16 bytes', rewrap({ dek: OTHER_DEK.slice(32) })],
    ],
  ],
  [
    'context',
    'SEAL_COMMITMENT_MISMATCH',
    [
      [
        'context-hash',
        'the DEK unwraps under another context than the header commits to',
        (draft) => {
          meta('ss-domain', () => 'payments')(draft)
          rewrap({ context: kmsContextOf(BASE.input.dekId, 'payments') })(draft)
        },
      ],
    ],
  ],
  [
    'commitment',
    'SEAL_COMMITMENT_MISMATCH',
    [
      ['other-dek', 'another DEK, wrapped for this very context', rewrap({ dek: OTHER_DEK })],
      ['altered-salt', 'both headers have another salt', rehead((h) => flip(h, 56))],
      ['altered-generation', 'both headers say 2', rehead((h) => h.writeUInt32BE(2, 32))],
      ['altered-created', 'both headers say some ms later', rehead((h) => flip(h, 95))],
      ['altered-commitment', 'a bit of both is flipped', rehead((h) => flip(h, 159, 0x80))],
    ],
  ],
]

const HEADER_FAULTS: readonly Fault[] = [
  ['frames-swapped', 'two frames in the place of each other', damage.swapFrames],
  ['frame-length', 'another length than the index', body((b) => flip(b, 163))],
  ['frame-seq', 'another seq than the index', body((b) => flip(b, 167, 8))],
  ['frame-offset', 'another offset than the index', body((b) => flip(b, 175))],
  ['frame-source', 'another source than the index', body((b) => flip(b, 177))],
  ['frame-flags', 'a flag in a frame header', body((b) => flip(b, 178))],
  ['frame-reserved', 'a reserved byte in a frame header', body((b) => flip(b, 179))],
]

const FRAMES: readonly Fault[] = [
  ['ciphertext-bit', 'a bit of a ciphertext is flipped', body((b) => flip(b, 180))],
  ['frame-tag-bit', 'a bit of the last tag is flipped', body((b, d) => flip(b, d.footerAt - 1))],
  [
    'aad-segment',
    'sealed for another segment',
    reseal({ context: { segmentId: BASE.input.dekId } }),
  ],
  ['aad-cluster', 'sealed for another cluster', reseal({ context: { clusterId: 'cluster-b' } })],
  ['aad-topic', 'sealed for another topic', reseal({ context: { topic: 'order5' } })],
  ['aad-partition', 'sealed for another partition', reseal({ context: { partition: 1 } })],
  ['nonce-of-other-seq', 'sealed with the nonce of seq 9', reseal({ seq: 9 })],
]

const parcel = (change: (parcel: Buffer) => void) => reseal({ parcel: change })

/** The parcel of the base vector: `value` has its length at 17, the header count is at 26. */
const PARCELS: readonly Fault[] = [
  ['parcel-version-2', 'version 2', parcel((p) => p.writeUInt8(2, 0))],
  ['parcel-flags', 'flag bit 1', parcel((p) => p.writeUInt8(2, 1))],
  ['parcel-negative-length', 'a key of length -2', parcel((p) => p.writeInt32BE(-2, 10))],
  ['parcel-overrun', 'a value that reaches beyond', parcel((p) => p.writeInt32BE(100, 17))],
  [
    'parcel-rest',
    'a byte after the parcel',
    parcel((p) => p.set(Buffer.from('0000000466697273000000', 'hex'), 17)),
  ],
  ['parcel-missing-header', 'a header promised, none there', parcel((p) => p.writeUInt16BE(1, 26))],
]

/** Faults that whole-object verification finds. */
const WHOLE: Faults = [
  ['structure', MALFORMED, [...HEADS, ...FOOTERS]],
  ...KEYS,
  ['footer-tag', 'SEAL_OPEN_FAILED', FOOTER_TAGS],
  ['place', MALFORMED, HEADER_FAULTS],
  ['frame', 'SEAL_OPEN_FAILED', FRAMES],
  ['parcel', MALFORMED, PARCELS],
]

const REFERENCES: readonly Fault[] = [
  ['reference-version-2', 'v is 2', ask(() => ({ v: 2 }))],
  ['reference-dots', 'a key that leaves', ask((d) => ({ object: `a/../${d.objectKey}` }))],
  ['reference-empty-step', 'an empty step', ask((d) => ({ object: `a//${d.objectKey}` }))],
  ['reference-slash', 'a key that begins with /', ask((d) => ({ object: `/${d.objectKey}` }))],
  ['reference-no-segment', 'no .seal', ask(() => ({ object: 'sealed/deks/x.json' }))],
  ['reference-topic', 'no name of a topic', ask(() => ({ topic: 'a b' }))],
  ['reference-offset', 'an offset of 2^53', ask(() => ({ offset: 2 ** 53 }))],
  ['reference-partition', 'a partition below 0', ask(() => ({ partition: -1 }))],
  ['reference-short', 'a length of 35', ask(() => ({ length: 35 }))],
  ['reference-long', 'a length of 64 MiB + 37', ask(() => ({ length: 2 ** 26 + 37 }))],
  ['reference-text', 'a position that is text', ask(() => ({ position: '160' }))],
  ['reference-fraction', 'half a byte', ask(() => ({ position: 160.5 }))],
]

const PLACES: readonly Fault[] = [
  [
    'point-other-name',
    'the object was copied under the name of another segment',
    (draft) => {
      copied(draft)
      draft.reference.object = draft.objectKey
    },
  ],
  ['point-other-frame', 'another frame', ask((d) => ({ position: 160 + d.frameLength }))],
  ['point-other-offset', 'another offset', ask(() => ({ offset: 43 }))],
  ['point-longer', 'a byte more than the frame', ask((d) => ({ length: d.frameLength + 1 }))],
  ['point-no-frame', 'a position within a frame', ask(() => ({ position: 190 })), MALFORMED],
]

/** Faults that show when one message is read by its reference. */
const POINT: Faults = [
  ['reference', 'SEAL_REFERENCE_INVALID', REFERENCES],
  [
    'range',
    MALFORMED,
    [
      ['object-missing', 'no such object', set(() => ({ objectKey: 'x' })), 'SEAL_OBJECT_MISSING'],
      ['object-shorter', 'beyond the end', ask((d) => ({ position: d.bytes.length - 20 }))],
    ],
  ],
  [
    'structure',
    MALFORMED,
    [
      ['point-metadata-version', 'ss-v is 2', meta('ss-v', () => '2')],
      ['point-suite-2', 'the header says suite 2', rehead((h) => h.writeUInt8(2, 9)), SUITE],
    ],
  ],
  [
    'commitment',
    'SEAL_COMMITMENT_MISMATCH',
    [['point-other-dek', 'another DEK, wrapped for this context', rewrap({ dek: OTHER_DEK })]],
  ],
  ['place', CONTEXT, PLACES],
  [
    'frame',
    'SEAL_OPEN_FAILED',
    [
      ['point-other-topic', 'another topic', ask(() => ({ topic: 'order5' }))],
      ['point-other-partition', 'another partition', ask(() => ({ partition: 7 }))],
      ['point-other-cluster', 'ss-cluster is another', meta('ss-cluster', () => 'cluster-b')],
      [
        'point-offset-in-both',
        'another offset, and the frame header rewritten to fit',
        (draft) => {
          draft.bytes.writeUInt8(43, 175)
          draft.reference.offset = 43
        },
      ],
    ],
  ],
  ['parcel', MALFORMED, [['point-parcel-flags', 'flag bit 1', parcel((p) => p.writeUInt8(2, 1))]]],
  [
    'parcel',
    'SEAL_SHREDDED',
    [
      [
        'point-shredded',
        'a mark in the place of the message',
        parcel((p) => p.fill(0).fill(2, 0, 1)),
      ],
      [
        'point-shredded-rest',
        'the same with a byte that is not zero',
        parcel((p) => p.fill(0).fill(2, 0, 1).fill(1, 27)),
        MALFORMED,
      ],
    ],
  ],
]

/** All negative vectors of v1. Their files are frozen: add, never change. */
export function negativeVectors(): NegativeVector[] {
  return [...vectorsOf(WHOLE, false), ...vectorsOf(POINT, true)]
}

function vectorsOf(steps: Faults, isPoint: boolean): NegativeVector[] {
  return steps.flatMap(([step, usual, faults]) =>
    faults.map(([name, about, harm, code = usual]) => {
      const draft = new damage.Draft()
      harm(draft)
      const asked = isPoint ? { reference: JSON.stringify(draft.reference) } : {}
      return { name, about, expected: { step, code }, ...draft.place(), ...asked }
    }),
  )
}
