// SPDX-License-Identifier: MIT
// One static page. `assetPrefix: '.'` keeps every address relative, so that the export works under any path and from
// file://; the release build uses webpack, whose chunks scripts/build.mjs can put inline into one HTML file.
export default {
  output: 'export',
  assetPrefix: '.',
  reactStrictMode: true,
  // A build is a function of the sources alone: the committed template is checked against it.
  generateBuildId: () => 'rustscope',
  // Module ids in order of use: the default hashes requests that hold the checkout's path.
  webpack: (config) => {
    config.optimization.moduleIds = 'natural';
    return config;
  },
  images: { unoptimized: true },
  poweredByHeader: false,
};
