import { randomUUID } from 'node:crypto'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { describe, expect, inject, test } from 'vitest'
import type { MessageHeader } from '../../src/format/message.ts'
import { createReader } from '../../src/index.ts'
import { dekUsage } from '../support/dek-usage.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { comparable } from '../support/messages.ts'
import { numberedRecords, record } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { sealingScene } from '../support/sealing-scene.ts'

const shared = sealingScene({ areTablesShared: false })

describe('the policy of windows', () => {
  const COUNT = 10_000
  const WINDOW = 1_000
  // One to see that the KEK serves, one for each window, and the one made ahead behind the last.
  const CALLS = 1 + COUNT / WINDOW + 1

  test('is kept to the message, and the KMS is called as often as it says, to the call', async () => {
    const place = await shared.newPlace('policy', 1)
    const messages = await shared.kafka.appendMany(place.topic, 1, numberedRecords(COUNT, 'policy'))
    const encryptor = new EncryptorProcess(
      place.config({ 'window.messagesMax': WINDOW, 'window.outageFactor': 1 }),
    )
    await encryptor.ready()
    const ends = await shared.kafka.ends(place.topic)
    await encryptor.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
    await encryptor.until(
      'ready for the next window',
      async () => (await encryptor.metric('sealstream_kms_calls_total')) >= CALLS,
    )
    expect(await encryptor.metric('sealstream_kms_calls_total')).toBe(CALLS)
    expect(await encryptor.metric('sealstream_kms_calls_per_million_messages')).toBe(
      (CALLS / COUNT) * 1_000_000,
    )
    expect((await encryptor.stop()).code).toBe(0)
    const deks = await dekUsage(place)
    expect(deks.map((dek) => dek.messages).toSorted((a, b) => b - a)).toEqual([
      ...new Array(COUNT / WINDOW).fill(WINDOW),
      0,
    ])
    await expectSealedOnce(shared.kafka, place, place.topic, messages)
  })

  test('of one message a DEK gives every message its own', async () => {
    const place = await shared.newPlace('single', 2)
    const messages = await shared.kafka.appendMany(
      place.topic,
      2,
      numberedRecords(60, 'single'),
      10,
    )
    const encryptor = new EncryptorProcess(place.config({ 'window.messagesMax': 1 }))
    await encryptor.ready()
    const ends = await shared.kafka.ends(place.topic)
    await encryptor.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
    expect((await encryptor.stop()).code).toBe(0)
    const used = (await dekUsage(place)).filter((dek) => dek.messages > 0)
    expect(used.map((dek) => dek.messages)).toEqual(new Array(60).fill(1))
    await expectSealedOnce(shared.kafka, place, place.topic, messages)
  })
})

describe('domains by header', () => {
  const PARTITIONS = 2
  const COUNT = 3_000
  const TENANTS = ['acme', 'globex', 'initech', null]
  const { endpoint, region, accessKeyId, secretAccessKey, keyId } = inject('stack').kms
  const credentials = { accessKeyId, secretAccessKey }
  const tenantHeader = (tenant: string): MessageHeader[] => [
    [Buffer.from('tenant'), Buffer.from(tenant)],
  ]

  test('share no key, keep the order, and one has a KEK of its own, without which it stays shut', async () => {
    const admin = new KMSClient({ endpoint, region, credentials })
    const { KeyMetadata } = await admin.send(new CreateKeyCommand({}))
    admin.destroy()
    const ownKek = KeyMetadata?.KeyId as string
    const place = await shared.newPlace('tenants', PARTITIONS)
    const records = numberedRecords(COUNT, 'tenants').map((plain, i) => {
      const tenant = TENANTS[i % TENANTS.length] as string | null
      return record({ ...plain, headers: tenant === null ? [] : tenantHeader(tenant) })
    })
    const messages = await shared.kafka.appendMany(place.topic, PARTITIONS, records)
    const config = place.config({
      'keyDomain.by': 'header',
      'keyDomain.header': 'tenant',
      'keyDomain.fallback': 'shared',
      'keyDomain.keks': [`acme=${ownKek}`],
      'segment.messagesMax': 300,
    })
    const encryptor = new EncryptorProcess(config)
    await encryptor.ready()
    const ends = await shared.kafka.ends(place.topic)
    await encryptor.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
    expect((await encryptor.stop()).code).toBe(0)

    const quarter = COUNT / TENANTS.length
    const countsOf = async (kekId: string) => {
      const counts: Record<string, number> = {}
      for (const { keyDomain, messages: sealed } of await dekUsage(place, kekId))
        counts[keyDomain] = (counts[keyDomain] ?? 0) + sealed
      return counts
    }
    expect(await countsOf(ownKek)).toEqual({ acme: quarter })
    expect(await countsOf(keyId)).toEqual({ globex: quarter, initech: quarter, shared: quarter })

    const references = (await shared.kafka.references(place.topic)).map(
      ({ reference }) => reference,
    )
    const ordered = messages.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
    expect(references.map(({ partition, offset }) => [partition, offset])).toEqual(
      ordered.map(({ partition, offset }) => [partition, offset]),
    )
    const { kms } = place.stack
    const s3 = { ...place.stack.s3, prefix: place.prefix }
    const { keyId: _keyId, ...service } = kms
    const readerOf = (...allowedKeyIds: string[]) =>
      createReader({ s3, kms: { ...service, allowedKeyIds } })
    const both = readerOf(keyId, ownKek)
    const opened = await both.openReferences(references)
    expect(opened.map(comparable)).toEqual(ordered.map(comparable))
    await both.close()
    const one = readerOf(keyId)
    const acme = references.find((_, i) => ordered[i]?.headers[0]?.[1]?.toString() === 'acme')
    const fallback = references.find((_, i) => ordered[i]?.headers.length === 0)
    if (acme === undefined || fallback === undefined) throw new Error('both domains have messages')
    expect((await one.openReferences([fallback])).length).toBe(1)
    await expect(one.openReferences([acme])).rejects.toMatchObject({ code: 'SEAL_KEK_NOT_ALLOWED' })
    await one.close()
  })

  test('with a KEK that does not exist end the start with one line', async () => {
    const place = await shared.newPlace('tenants-kek', 1)
    const encryptor = new EncryptorProcess(
      place.config({
        ...{ 'keyDomain.by': 'header', 'keyDomain.header': 'tenant' },
        'keyDomain.keks': [`acme=${randomUUID()}`],
      }),
    )
    const { code, stderr } = await encryptor.ended
    expect(code).not.toBe(0)
    expect(stderr).toContain('SEAL_KEK_DESTROYED')
  })
})
