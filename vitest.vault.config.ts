import { defineConfig } from 'vitest/config'

/**
 * Tests on a real Vault, `npm run test:vault`. They stand apart because building Vault takes minutes
 * when it is done for the first time.
 */
export default defineConfig({
  test: {
    name: 'vault',
    include: ['test/vault/**/*.test.ts'],
    globalSetup: ['test/support/vault-setup.ts', 'test/support/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
})
