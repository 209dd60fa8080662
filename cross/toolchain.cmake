# toolchain.cmake: Debian's cross compilers with a sysroot that cross/sysroot has made. What isn't in the sysroot isn't found:
# nothing of this machine gets into a program for another.
#   SLUICE_ARCH     arm64 or armhf, as Debian names them
#   SLUICE_SYSROOT  the root of the other machine's libraries and headers
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SLUICE_ARCH SLUICE_SYSROOT)
set(CMAKE_SYSTEM_NAME Linux)

if(SLUICE_ARCH STREQUAL arm64)
  set(CMAKE_SYSTEM_PROCESSOR aarch64)
  set(triplet aarch64-linux-gnu)
  set(emulator qemu-aarch64-static)
elseif(SLUICE_ARCH STREQUAL armhf)
  set(CMAKE_SYSTEM_PROCESSOR armv7l)
  set(triplet arm-linux-gnueabihf)
  set(emulator qemu-arm-static)
else()
  message(FATAL_ERROR "SLUICE_ARCH is \"${SLUICE_ARCH}\" (arm64 or armhf)")
endif()

set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_CXX_COMPILER ${triplet}-g++)
set(CMAKE_LIBRARY_ARCHITECTURE ${triplet})
set(CMAKE_SYSROOT ${SLUICE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH ${SLUICE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${SLUICE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${SLUICE_SYSROOT}/usr/lib/${triplet}/pkgconfig:${SLUICE_SYSROOT}/usr/share/pkgconfig)

# So that ctest just works. The libraries are the sysroot's, /proc and the files are this machine's.
set(CMAKE_CROSSCOMPILING_EMULATOR ${emulator} -L ${SLUICE_SYSROOT})
