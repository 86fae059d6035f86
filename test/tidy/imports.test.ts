import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')

/** Imports go to a lower level, or stay within their room (docs/architecture.md). */
const LEVELS: Readonly<Record<string, number>> = {
  errors: 0,
  limits: 0,
  clock: 0,
  'for-each-of': 0,
  'service-costs': 0,
  'paced-budget': 1,
  failpoints: 1,
  format: 1,
  crypto: 2,
  keys: 3,
  segment: 4,
  mapping: 4,
  reader: 4,
  pipeline: 5,
  reencryption: 6,
  rewrap: 6,
  incident: 5,
  verify: 5,
  rebuild: 6,
  response: 6.5,
  config: 7,
  adapters: 7,
  telemetry: 8,
  admin: 9,
  compose: 10,
  cli: 11,
  index: 11,
  workers: 11,
}

/** Who may import which packages; node: built-ins are free for all. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  adapters: [
    'kafkajs',
    '@node-rs/crc32',
    'snappy',
    'lz4-napi',
    'cassandra-driver',
    '@aws-sdk/client-s3',
    '@aws-sdk/client-kms',
    '@google-cloud/kms',
    'google-auth-library',
    '@azure/keyvault-keys',
    '@azure/identity',
    'piscina',
    'pkcs11js',
  ],
  workers: ['piscina'],
  crypto: ['koffi'],
  keys: ['cockatiel'],
  telemetry: ['pino', 'prom-client'],
  config: ['zod', 'yaml'],
  cli: ['commander', 'yaml'],
}

interface Import {
  readonly file: string
  readonly target: string
}

const files = ['src', 'workers'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
)

const imports: readonly Import[] = files.flatMap((file) => {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const found = text.matchAll(
    /^(?:import|export)\b[^'"`;]*?\bfrom '([^']+)'|\bimport\('([^']+)'\)/gm,
  )
  return [...found].map(([, named, loaded]) => ({ file, target: (named ?? loaded) as string }))
})

/** The room of a file: the folder below src, the file itself at its top, or workers. */
function roomOf(file: string): string {
  const [top, second = ''] = file.split('/')
  return top === 'src' ? second.replace(/\.ts$/, '') : (top as string)
}

/** The file that a relative import names, from the root. */
function resolved({ file, target }: Import): string {
  return relative(ROOT, resolve(ROOT, dirname(file), target))
}

describe('imports', () => {
  test('there are some to look at', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(imports.length).toBeGreaterThan(150)
  })

  test('every room has its level', () => {
    expect(files.map(roomOf).filter((room) => !(room in LEVELS))).toEqual([])
  })

  test('go downward', () => {
    const upward = imports
      .filter(({ target }) => target.startsWith('.'))
      .filter((found) => {
        const from = roomOf(found.file)
        const to = roomOf(resolved(found))
        return from !== to && (LEVELS[to] ?? 99) >= (LEVELS[from] ?? -1)
      })
    expect(upward).toEqual([])
  })

  test('take packages only where they belong', () => {
    const foreign = imports
      .filter(({ target }) => !target.startsWith('.') && !target.startsWith('node:'))
      .filter(({ file, target }) => !PACKAGES[roomOf(file)]?.includes(target))
    expect(foreign).toEqual([])
  })

  test('of adapters stand in compositions alone', () => {
    const direct = imports
      .filter(({ file }) => !['adapters', 'compose', 'workers'].includes(roomOf(file)))
      .filter((found) => found.target.startsWith('.') && roomOf(resolved(found)) === 'adapters')
    expect(direct).toEqual([])
  })
})
