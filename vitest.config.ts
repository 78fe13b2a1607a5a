import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts', '*.test.ts'],
    // Services that tests ask for are found or started once per run.
    globalSetup: ['packages/test-services/src/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Tests wait for conditions, not for durations: on a busy machine a process takes seconds to get there.
    expect: { poll: { timeout: 20_000 } },
  },
})
