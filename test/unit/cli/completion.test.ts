import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { completionScript } from '../../../src/cli/commands/completion.ts'
import { registrations } from '../../../src/cli/main.ts'
import { buildProgram } from '../../../src/cli/program.ts'

const terminal = { env: {}, out: () => {}, err: () => {}, exitCode: 0 }
const script = completionScript(buildProgram(registrations, terminal))

/** What bash offers behind these words, the last of which is being typed. */
function offered(...words: string[]): string[] {
  const line = ['sealstream', ...words].map((word) => `'${word}'`).join(' ')
  const asked = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _sealstream; printf '%s\\n' "\${COMPREPLY[@]}"`
  const out = execFileSync('bash', ['--norc', '-c', asked], { encoding: 'utf8' })
  return out.split('\n').filter((word) => word !== '')
}

describe('completions in bash', () => {
  it('offer commands, the commands below them, and options', () => {
    expect(offered('')).toEqual(expect.arrayContaining(['run', 'read', 'open', 'impact', '--help']))
    expect(offered('re')).toEqual(expect.arrayContaining(['read', 'rewrap', 'reencrypt']))
    expect(offered('config', 'c')).toEqual(['check'])
    expect(offered('read', 'orders', '--fo')).toEqual(['--follow'])
    expect(offered('rotate', 'kek', '--re')).toContain('--reason')
  })

  it('offer nothing of ours where nothing fits', () => {
    expect(offered('read', 'ord')).toEqual([])
    expect(offered('config', 'check', 'x')).toEqual([])
  })
})
