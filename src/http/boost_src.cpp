// Boost.Asio's and Beast's own bodies, compiled once here (BOOST_*_SEPARATE_COMPILATION) instead of in every file.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
