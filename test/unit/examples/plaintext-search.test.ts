import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkPlaintext } from '../../../examples/demo/plaintext-check.ts'
import { searchFolders } from '../../../examples/demo/plaintext-search.ts'
import { SamplePicker, sampleOf } from '../../../examples/demo/samples.ts'

const CHUNK_BYTES = 4 * 1024 * 1024
const NEEDLE = Buffer.from('{"delay":0,"distance":1452,"time":0.0}')

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-search-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function place(name: string, bytes: Buffer): Promise<string> {
  const path = join(folder, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, bytes)
  return path
}

test('the shortest needle is found at every distance from the begin of a file', async () => {
  const needle = NEEDLE.subarray(0, 24)
  for (let distance = 0; distance < 50; distance += 1) {
    const bytes = Buffer.concat([randomBytes(distance), needle, randomBytes(distance % 7)])
    const path = await place('haystack', bytes)
    const { found } = await searchFolders([folder], [needle])
    expect(found.get(0), `at ${distance}`).toBe(path)
  }
})

test('a needle is found where a file is read in two pieces', async () => {
  for (const before of [1, NEEDLE.length >> 1, NEEDLE.length - 1]) {
    await place('haystack', Buffer.concat([randomBytes(CHUNK_BYTES - before), NEEDLE]))
    expect((await searchFolders([folder], [NEEDLE])).found.size, `${before} before`).toBe(1)
  }
})

test('only the needles that are there are found, in folders within folders', async () => {
  const absent = Buffer.from('another text of more than 24 bytes')
  const almost = Buffer.concat([NEEDLE.subarray(0, -1), Buffer.from('!')])
  await place('a/b/c', Buffer.concat([randomBytes(1_000), NEEDLE]))
  const result = await searchFolders([folder, join(folder, 'missing')], [absent, almost, NEEDLE])
  expect([...result.found.keys()]).toEqual([2])
  expect(result).toMatchObject({ files: 1, bytes: 1_000 + NEEDLE.length })
})

test('plaintext in an object, a table or a log fails the demo with the file', async () => {
  await place('data/kafka/0.log', NEEDLE)
  await place('data/s3/object', randomBytes(100))
  expect(await checkPlaintext(folder, [NEEDLE])).toMatchObject({ hits: 0, controlHits: 1 })
  for (const name of ['data/s3/leak', 'data/cassandra/leak', 'logs/leak', 'encryptor/leak']) {
    const path = await place(name, NEEDLE)
    await expect(checkPlaintext(folder, [NEEDLE])).rejects.toThrow(path)
    await rm(path)
  }
})

test('a search that does not find the source topics themselves is called blind', async () => {
  await place('data/kafka/0.log', randomBytes(100))
  await expect(checkPlaintext(folder, [NEEDLE])).rejects.toThrow('blind')
})

test('samples are the middle of values that can be told from noise', () => {
  expect(sampleOf(NEEDLE)).toEqual(NEEDLE)
  expect(
    sampleOf(Buffer.from(`${'-'.repeat(500)}abcdefghijklmnopqrstuvwxyz${'-'.repeat(500)}`)),
  ).toHaveLength(48)
  expect(sampleOf(Buffer.from('too short'))).toBeNull()
  expect(sampleOf(Buffer.alloc(1_000, '-'))).toBeNull()
})

test('a few dozen samples are spread evenly, however many messages there are', () => {
  const picker = new SamplePicker()
  for (let index = 0; index < 10_000; index += 1) {
    picker.offer(Buffer.from(`message ${String(index).padStart(6, '0')} abcdefghij`))
  }
  const indexes = picker.samples.map((sample) => Number(String(sample).slice(8, 14)))
  expect(indexes.length).toBeGreaterThan(24)
  expect(indexes.length).toBeLessThanOrEqual(48)
  const gaps = indexes.slice(1).map((index, position) => index - (indexes[position] ?? 0))
  expect(new Set(gaps).size).toBe(1)
  expect(10_000 - (indexes.at(-1) ?? 0)).toBeLessThanOrEqual(gaps[0] ?? 0)
})
