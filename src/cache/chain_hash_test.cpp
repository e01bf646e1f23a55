// The chain's identity: what changes it and what must not.
#include "cache/chain_hash.h"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

using namespace hearth::cache;

TEST_CASE("a root depends on every name, value and the salt, and not on the order of the parts") {
  const std::vector<RootPart> parts = {{"model", "m1"}, {"type_k", "f16"}};
  const std::vector<RootPart> turned = {{"type_k", "f16"}, {"model", "m1"}};
  CHECK(make_root(parts, "a") == make_root(turned, "a"));
  CHECK(make_root(parts, "a") != make_root(parts, "b"));
  CHECK(make_root(parts, "a") != make_root(std::vector<RootPart>{{"model", "m1"}, {"type_k", "q8_0"}}, "a"));
  CHECK(make_root(parts, "a") != make_root(std::vector<RootPart>{{"model", "m1"}, {"type_v", "f16"}}, "a"));
  CHECK(make_root(parts, "a") != make_root(std::vector<RootPart>{{"model", "m1"}}, "a"));
}

TEST_CASE("where one text of a root ends and the next begins matters") {
  CHECK(make_root(std::vector<RootPart>{{"ab", "c"}}, "") != make_root(std::vector<RootPart>{{"a", "bc"}}, ""));
  CHECK(make_root(std::vector<RootPart>{{"a", "b"}}, "c") != make_root(std::vector<RootPart>{{"a", "bc"}}, ""));
}

TEST_CASE("a block's hash depends on its tokens, their order and all before it") {
  std::vector<Token> tokens(kBlockTokens);
  std::iota(tokens.begin(), tokens.end(), 7);
  const Hash parent = make_root(std::vector<RootPart>{{"model", "m1"}}, "").hash;
  const Hash other = make_root(std::vector<RootPart>{{"model", "m2"}}, "").hash;
  const Hash hash = block_hash(parent, tokens);
  CHECK(hash == block_hash(parent, tokens));
  CHECK(hash != block_hash(other, tokens));
  CHECK(hash != block_hash(parent, std::span(tokens).first(255)));
  CHECK(hash != parent);
  std::swap(tokens[3], tokens[4]);
  CHECK(hash != block_hash(parent, tokens));
}

TEST_CASE("the format of the chain does not drift") {
  // What was written to a disk under one build must be found by the next: these bytes change only with the context's number.
  const Hash root = make_root(std::vector<RootPart>{{"model", "m"}}, "salt").hash;
  const std::vector<Token> tokens = {1, 2, 3};
  CHECK(static_cast<int>(root[0]) == 115);
  CHECK(static_cast<int>(block_hash(root, tokens)[0]) == 142);
}
