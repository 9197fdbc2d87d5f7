// SPDX-License-Identifier: MIT
// One static page. `assetPrefix: '.'` keeps every address relative, so that the export works under any path and from
// file://; the release build uses webpack, whose chunks scripts/build.mjs can put inline into one HTML file.
export default {
  output: 'export',
  assetPrefix: '.',
  reactStrictMode: true,
  // A build is a function of the sources alone: the committed template is checked against it.
  generateBuildId: () => 'rustscope',
  images: { unoptimized: true },
  poweredByHeader: false,
};
