import { createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Dek } from '../../../src/keys/dek.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { message } from '../../support/messages.ts'
import { sealSegment } from '../../support/sealed-segment.ts'

const DEK_ID = '5ea15eed-0000-4000-8000-0000000000d1'

/**
 * A second reader that shares no code with the first: every number and label below comes from
 * docs/format.md, so that code and document cannot drift apart.
 */
describe('docs/format.md', () => {
  const secret = randomBytes(32)
  const dek = new Dek(
    {
      ...{ dekId: DEK_ID, keyDomain: 'orders/é', kekId: 'kek', kekVersion: null },
      ...{ wrapped: Buffer.from('wrapped'), createdAtMs: 0 },
    },
    Uint8Array.from(secret),
  )
  const sealing = sealSegment(dek, new MemoryObjectStore(), [
    message({ value: Buffer.from('first') }),
    message({
      ...{ topic: 'payments', partition: 7, offset: 2 ** 40 + 9 },
      ...{ key: null, value: Buffer.alloc(0), timestampMs: -5n, timestampType: 'append' },
      headers: [
        [Buffer.from('a'), null],
        [Buffer.from('a'), Buffer.from('b')],
      ],
    }),
  ])

  it('tells enough to find and open a frame with the DEK alone', async () => {
    const { bytes, references, segmentId } = await sealing
    const header = bytes.subarray(0, 160)
    const okm = Buffer.from(
      hkdfSync(
        'sha512',
        secret,
        header.subarray(56, 88),
        Buffer.concat([Buffer.from('sealstream/v1/segment\0'), header.subarray(0, 128)]),
        108,
      ),
    )
    expect(okm.subarray(76, 108).equals(header.subarray(128, 160))).toBe(true)

    const { position = 0, length = 0 } = references[1] ?? {}
    const frame = bytes.subarray(position, position + length)
    expect(frame.readUInt32BE(0)).toBe(length)
    expect(frame.readUInt32BE(4)).toBe(1)
    expect(frame.readBigInt64BE(8)).toBe(2n ** 40n + 9n)
    expect(frame.readUInt32BE(16)).toBe(0x0001_0000)

    const nonce = Buffer.from(okm.subarray(32, 44))
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ 1) >>> 0, 8)
    const aad = Buffer.concat([
      Buffer.from('sealstream/v1/frame\0'),
      Buffer.from(segmentId.replaceAll('-', ''), 'hex'),
      frame.subarray(0, 20),
      Buffer.from('00000007', 'hex'),
      Buffer.from('\0\x09cluster-a'),
      Buffer.from('\0\x08payments'),
    ])
    const cipher = createDecipheriv('aes-256-gcm', okm.subarray(0, 32), nonce)
    cipher.setAAD(aad).setAuthTag(frame.subarray(length - 16))
    const parcel = Buffer.concat([cipher.update(frame.subarray(20, length - 16)), cipher.final()])

    expect(parcel.toString('hex')).toBe(
      [
        '01' + '01' + 'fffffffffffffffb',
        'ffffffff' + '00000000',
        '0002' + '0001' + '61' + 'ffffffff' + '0001' + '61' + '00000001' + '62',
      ].join(''),
    )
  })

  it('describes the header', async () => {
    const { bytes, segmentId } = await sealing
    const context = `[["app","sealstream"],["dek","${DEK_ID}"],["domain","orders/é"],["v","1"]]`
    const fields = [
      '895353470d0a1a0a' + '01' + '01' + '00a0' + '00000000',
      segmentId.replaceAll('-', ''),
      '00000001' + '00000000',
      DEK_ID.replaceAll('-', ''),
      bytes.subarray(56, 88).toString('hex'),
      BigInt(Date.UTC(2026, 0, 2, 3, 4))
        .toString(16)
        .padStart(16, '0'),
      createHash('sha256').update(context).digest('hex'),
    ]
    expect(bytes.subarray(0, 128).toString('hex')).toBe(fields.join(''))
  })

  it('describes metadata and object key', async () => {
    const { bytes, metadata, objectKey, segmentId } = await sealing
    expect(metadata).toEqual({
      'ss-v': '1',
      'ss-h': bytes.subarray(0, 160).toString('base64url'),
      'ss-k': Buffer.from('wrapped').toString('base64url'),
      'ss-kek': 'kek',
      'ss-domain': 'orders%2F%C3%A9',
      'ss-cluster': 'cluster-a',
      'ss-u': expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(objectKey).toBe(`sealed/segments/orders%2F%C3%A9/2026/01/02/03/${segmentId}.seal`)
  })
})
