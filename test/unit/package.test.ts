import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as surface from '../../src/index.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

/** Values that a module imports when it is loaded: neither types nor what is loaded on demand. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const found = text.matchAll(/^(?:import|export)\b(?! type\b)(?:([^'"`;=(]*?)\bfrom)? '([^']+)'/gm)
  return [...found].flatMap(([, names = '', target]) => {
    const list = /\{([\s\S]*)\}/.exec(names)?.[1]
    const isTypes = list?.split(',').every((name) => /^\s*(type\b.*)?$/.test(name)) ?? false
    return isTypes ? [] : [target as string]
  })
}

/** Everything that is loaded with `file`: files of ours, and packages. */
function loadedWith(file: string): { files: Set<string>; packages: Set<string> } {
  const [files, packages] = [new Set<string>(), new Set<string>()]
  const queue = [resolve(ROOT, file)]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (files.has(next)) continue
    files.add(next)
    for (const target of importsOf(next)) {
      if (target.startsWith('.')) queue.push(resolve(dirname(next), target))
      else if (!target.startsWith('node:')) packages.add(target)
    }
  }
  return { files, packages }
}

describe('the package', () => {
  it('loads, for who reads, neither Cassandra nor Kafka nor the client of a KMS', () => {
    const { files, packages } = loadedWith('src/index.ts')
    expect([...packages].sort()).toEqual(['@aws-sdk/client-s3', 'cockatiel'])
    const rooms = [...files].map((file) => relative(ROOT, file))
    expect(
      rooms.filter((file) => /cassandra|piscina|^src\/(cli|config|telemetry)/.test(file)),
    ).toEqual([])
    expect(rooms.length).toBeGreaterThan(30)
  })

  it('finds what is loaded, where something is', () => {
    expect(loadedWith('src/compose/encryptor.ts').packages).toContain('cassandra-driver')
  })

  it('can be required: no module on the way awaits at its top', () => {
    const waiting = [...loadedWith('src/index.ts').files].filter((file) =>
      /^(const .*= )?await\b/m.test(readFileSync(file, 'utf8')),
    )
    expect(waiting).toEqual([])
  })

  it('gives these values and no others', () => {
    expect(Object.keys(surface).sort()).toEqual([
      ...['ERROR_CODES', 'SealError', 'SealedConsumer', 'createReader', 'deadLetterTopic'],
      ...['isSealError', 'parseReference', 'parseReferences'],
    ])
  })

  it('names in its manifest what the compiler makes, and loads nothing that acts by itself', () => {
    const { exports, types, bin, sideEffects, files, engines } = manifest
    expect(exports['.']).toEqual({ types, default: types.replace(/\.d\.ts$/, '.js') })
    const sources = [types, bin.sealstream, sideEffects[0]].map((path: string) =>
      join(ROOT, path.replace(/^(\.\/)?dist\//, '').replace(/(\.d\.ts|\.js)$/, '.ts')),
    )
    expect(sources.filter((path) => !existsSync(path))).toEqual([])
    expect(sideEffects[1]).toBe('./dist/workers/*.js')
    expect(readdirSync(join(ROOT, 'workers')).length).toBeGreaterThan(0)
    expect(
      files.filter((path: string) => path !== 'dist' && !existsSync(join(ROOT, path))),
    ).toEqual([])
    const [, version] = /NODE_VERSION_MIN = '(.+)'/.exec(
      readFileSync(join(ROOT, 'src/cli/node-version.ts'), 'utf8'),
    ) as RegExpExecArray
    expect(engines.node).toBe(`>=${version}`)
  })
})
