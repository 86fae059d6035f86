import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { expect, inject, test } from 'vitest'
import { changeKeyFile } from '../../src/adapters/kms/local-key-writer.ts'
import { LocalKms } from '../../src/adapters/kms/local-kms.ts'
import { createS3Client } from '../../src/adapters/s3/s3-client.ts'
import type { ReaderOptions } from '../../src/index.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { message } from '../support/messages.ts'
import type { OpenerAnswer, OpenerOrder } from '../support/opener-process.ts'
import { KEK_ID, makeDek, sealSegment } from '../support/sealed-segment.ts'

const MIB = 1024 * 1024
const LARGE_BYTES = 10 * MIB
/** 128 MiB of object. */
const LARGE = 13
const SMALL = 100
const OPENERS = 1_000
const LARGE_OPENERS = 60
const OPENER = join(import.meta.dirname, '../support/opener-process.ts')
const run = promisify(execFile)

test('1,000 openers at once of an object of 128 MiB take memory by the message', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealstream-openers-'))
  const keyFile = join(folder, 'keys.json')
  await changeKeyFile({ path: keyFile, name: KEK_ID, rotate: false, nowMs: Date.now() })
  const store = new MemoryObjectStore()
  const value = Buffer.alloc(LARGE_BYTES, 'x')
  const sent = [
    ...Array.from({ length: SMALL }, (_, offset) => message({ offset })),
    ...Array.from({ length: LARGE }, (_, i) => message({ offset: SMALL + i, value })),
  ]
  const dek = await makeDek(new LocalKms({ keyFile }))
  const segment = await sealSegment(dek, store, sent)
  const s3 = inject('stack').s3
  const client = createS3Client({ ...s3, forcePathStyle: true, requestTimeoutMs: 30_000 }, 3)
  const { bytes: Body, metadata: Metadata, objectKey: Key } = segment
  await client.send(new PutObjectCommand({ Bucket: s3.bucket, Key, Body, Metadata }))
  client.destroy()

  const texts = segment.references.map((reference) => JSON.stringify({ v: 1, ...reference }))
  const at = (i: number) => texts[i < LARGE_OPENERS ? SMALL + (i % LARGE) : i % SMALL] as string
  const reader: ReaderOptions = {
    s3: { ...s3, prefix: 'sealed' },
    kms: { provider: 'local', keyFile, allowedKeyIds: [KEK_ID] },
  }
  const references = Array.from({ length: OPENERS }, (_, i) => at(i))
  const file = join(folder, 'order.json')
  writeFileSync(file, JSON.stringify({ reader, references } satisfies OpenerOrder))
  const { stdout, stderr } = await run(process.execPath, [OPENER, file])
  const { opened, bytes, grownBytes } = JSON.parse(stdout) as OpenerAnswer
  expect([opened, stderr]).toEqual([OPENERS, ''])
  expect(bytes).toBeGreaterThan(LARGE_OPENERS * LARGE_BYTES)
  // 64 MiB of ciphertext, as much plaintext again, and what the collector has not come to yet.
  expect(grownBytes / MIB).toBeLessThan(300)
  rmSync(folder, { recursive: true, force: true })
})
