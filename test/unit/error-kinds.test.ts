import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES, type ErrorCode, SealError } from '../../src/errors.ts'

const page = (name: string) =>
  readFileSync(resolve(import.meta.dirname, '../../docs', name), 'utf8')
const kindOf = (code: string) => new SealError(code as ErrorCode, 'x').kind

describe('the kind of a failure', () => {
  it('is there for every code that reading a message may end in', () => {
    const [, steps] = /## Reading one message\n([\s\S]*?)\n## /.exec(page('format.md')) ?? []
    const named = [...(steps ?? '').matchAll(/SEAL_[A-Z_]+\*?/g)].map(([code]) => code)
    const codes = named.flatMap((name) =>
      name.endsWith('*')
        ? Object.keys(ERROR_CODES).filter((code) => code.startsWith(name.slice(0, -1)))
        : [name],
    )
    // A writer's alone.
    const ofReaders = new Set(codes.filter((code) => code !== 'SEAL_KEK_FORBIDDEN'))
    expect(ofReaders.size).toBeGreaterThan(12)
    expect([...ofReaders].filter((code) => kindOf(code) === 'other')).toEqual([])
  })

  it('is the one that the page for readers describes', () => {
    const described = [
      ...page('reading.md').matchAll(/^\| `([a-z-]+)` +\| [^|]+\| (?:stops|retries) /gm),
    ]
    const kinds = new Set([...Object.keys(ERROR_CODES), 'SEAL_SHREDDED'].map(kindOf))
    expect(described.map(([, kind]) => kind).sort()).toEqual([...kinds].sort())
  })

  it('tells messages that are destroyed for good from keys that are away', () => {
    expect(['SEAL_SHREDDED', 'SEAL_KEK_DESTROYED'].map(kindOf)).toEqual(['destroyed', 'destroyed'])
    expect(['SEAL_KEK_DISABLED', 'SEAL_KMS_UNAVAILABLE'].map(kindOf)).toEqual([
      ...['key-unavailable', 'key-unavailable'],
    ])
  })
})
